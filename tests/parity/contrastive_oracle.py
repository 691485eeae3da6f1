"""What contrastive losses and their gradients should be: fp64 autograd over whole matrices, row by row."""
import itertools
import math

import numpy as np
import torch

KEYS = ["place", "author", "sequence"]
RADIUS_KM = 6371.0088
BINS = [[0, 100, 50, 0.3, 0.1, 60, 0.01, 50], [100, 1000, 60, 0.4, 0.03, 500, 0.01, 60],
        [9000, 20020, 40, 0.6, 0.2, 12000, 0.01, 40]]  # low, high, pairs, mean, std, lag, error, weight
INPUTS = ["images", "places", "candidates", "negatives", "log_scale", "bias"]


def unit(rng, *shape):
    x = rng.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def make(seed, samples=24, views=1, slots=0, own=0, width=8, scale=14.0, aligned=1.0, padded=0, without_place=0):
    """A global batch in which images look a little like their places, and some places are close to others."""
    rng = np.random.default_rng(seed)
    places = unit(rng, samples, width)
    images = np.repeat(places, views, 0) * aligned + rng.normal(size=(samples * views, width)) * 0.4
    latlon = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, samples))), rng.uniform(-180, 180, samples)], 1)
    latlon[1] = latlon[0] + [1e-3, 0]
    latlon[2] = latlon[0] + [0.1, 0]
    data = {"images": images / np.linalg.norm(images, axis=1, keepdims=True), "places": places,
            "log_scale": np.array(math.log(scale)), "bias": np.array(-2.0), "latlon": latlon,
            "keys": rng.integers(0, 5, (samples, 3)), "draws": rng.random((samples * views, 2))}
    if slots:
        data["candidates"] = unit(rng, slots, width)
        near = latlon[rng.integers(0, samples, slots)]
        data["candidate_latlon"] = near + rng.choice([0, 1e-3, 1.0], (slots, 1)) + rng.normal(size=(slots, 2)) * 1e-4  # no ties
        data["candidate_keys"] = rng.integers(0, 5, (slots, 3))
        data["candidate_latlon"][slots - padded:] = np.nan
    if own:
        data["negatives"] = unit(rng, samples, own, width)
        data["negative_latlon"] = np.repeat(latlon, own, 0) + rng.choice([1e-3, 1.0], (samples * own, 1)) + rng.normal(size=(samples * own, 2)) * 1e-4
    data["latlon"][3:3 + without_place] = np.nan
    return data


def unit_vectors(latlon):
    lat, lon = np.radians(latlon[..., 0]), np.radians(latlon[..., 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def distance_km(a, b):
    """Haversine, elementwise over broadcast shapes."""
    p, q = np.radians(a[..., 0]), np.radians(b[..., 0])
    h = np.sin((q - p) / 2) ** 2 + np.cos(p) * np.cos(q) * np.sin(np.radians(b[..., 1] - a[..., 1]) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def expected_share(case, d):
    """g(d): how far up its curve the variogram is at d km."""
    x = d / case["range"]
    return {"exponential": 1 - np.exp(-x), "gaussian": 1 - np.exp(-x ** 2), "stable": 1 - np.exp(-x ** 0.7),
            "spherical": np.where(x < 1, 1.5 * x - 0.5 * x ** 3, 1)}[case["shape"]]


def row_loss(case, l, positive, out, d_km, draws, s, apart):
    """One row: logits l over all columns, index of the positive, columns left out, distances of places and of features -> loss, floored, largest weight."""
    if case.get("pair", "none").startswith("seed"):
        return seed_row_loss(case, l, positive, out, d_km, apart)
    if case.get("pair", "none") != "none":
        return paired_row_loss(case, l, positive, out, d_km, s, apart)
    keep = torch.ones(len(l), dtype=torch.bool)
    keep[positive] = False
    keep &= ~torch.as_tensor(out)
    neg, pos, n = l[keep], l[positive], int(keep.sum())
    kind, beta, tau = case["kind"], case.get("beta", 0.5), case.get("tau_plus", 2e-4)
    if kind == "siglip":
        return -torch.nn.functional.logsigmoid(pos) - torch.nn.functional.logsigmoid(-neg).sum(), False, 0
    if n == 0:
        return 0 * pos, False, 0
    if case.get("beta_on") == "cosine":
        beta = beta * 2 / s.detach()
    if kind == "triplet":
        dist = (lambda c: 1 - c) if case["distance"] == "cosine" else (lambda c: torch.sqrt(2 - 2 * c))
        margin, far = case["margin"], d_km[keep.numpy()]
        if case["pick"] == "farthest":
            pick = int(np.argmax(far))
        elif case["pick"] == "far_near":
            order, half = np.argsort(far, kind="stable"), n // 2
            first, size = (half, n - half) if draws[0] < 0.5 else (0, half)
            pick = int(order[first + int(draws[1] * size)])
        else:
            semi = (neg < pos) & (dist(neg) < dist(pos) + margin)
            pick = int(torch.where(semi, neg, torch.tensor(-9.0, dtype=neg.dtype)).argmax()) if semi.any() else int(neg.argmax())
        return torch.relu(dist(pos) - dist(neg[pick]) + margin), False, 0
    if kind == "weighted_seed":
        w = torch.exp(beta * neg - torch.logsumexp(beta * neg, 0) + math.log(n)).detach()
        return torch.logsumexp(torch.cat([pos[None], w * neg]), 0) - pos, False, w.max().item() * (beta > 0)
    if kind in ("infonce", "dcl"):
        beta = 0.0
    if kind in ("infonce", "weighted_add"):
        tau = 0.0
    log_w = beta * neg - torch.logsumexp(beta * neg, 0)
    if kind == "weighted_add" or case.get("detach", True):
        log_w = log_w.detach()
    log_r = math.log(n) + torch.logsumexp(log_w + neg, 0)
    largest = n * log_w.max().exp().item() if beta > 0 else 0
    if tau == 0:
        return torch.logaddexp(log_r, pos) - pos, False, largest
    floor = math.log(n) - s.detach()
    r, c = log_r, math.log(tau) + math.log(n) + pos
    left = r + torch.log1p(-torch.exp(c - r)) - math.log1p(-tau) if r > c else None
    floored = left is None or bool(left <= floor)
    return torch.logaddexp(floor if floored else left, pos) - pos, floored, largest


def expected_and_found(case, d_km, apart):
    """gamma(d) - C, and 0 where a pair has not two images."""
    excess = 0.2 + 0.5 * expected_share(case, d_km) - apart
    return np.where(np.isnan(excess), 0, excess), np.isnan(excess)


def seed_row_loss(case, l, positive, out, d_km, apart):
    """The thesis' five ways, plain InfoNCE or its Weighted where the pair has not two images."""
    keep = np.arange(len(l)) != positive
    keep &= ~out
    neg, pos, n = l[torch.as_tensor(keep)], l[positive], int(keep.sum())
    if n == 0:
        return 0 * pos, False, 0
    more, unknown = expected_and_found(case, d_km[keep], apart[keep])
    near, less = d_km[keep] < case["rho"], np.maximum(0, -more)
    replaced = {"seed1": np.clip(np.abs(more), 0.2, 0.5), "seed3": np.where(near, less, 0)}
    if case["pair"] in replaced:
        l2 = torch.where(torch.as_tensor(unknown), neg, torch.as_tensor(replaced[case["pair"]]))
        largest = 0
    elif case["pair"] == "seed5":
        l2, largest = neg * torch.as_tensor(np.where(near, np.exp(less), 1)), 0
    else:
        beta = case["beta"] * torch.as_tensor(np.where(unknown, 1, np.clip(np.abs(more), 0.2, 0.5) if case["pair"] == "seed2" else less))
        w = torch.exp(beta * neg).detach()
        w = w / w.mean()
        l2, largest = w * neg, w.max().item()
    return torch.logsumexp(torch.cat([pos[None], l2]), 0) - pos, False, largest


def paired_row_loss(case, l, positive, out, d_km, s, apart):
    keep = torch.ones(len(l), dtype=torch.bool)
    keep[positive] = False
    keep &= ~torch.as_tensor(out)
    neg, pos, n, g = l[keep], l[positive], int(keep.sum()), expected_share(case, d_km[keep.numpy()])
    if n == 0:
        return 0 * pos, False, 0
    beta = case.get("beta", 0.5) if case["kind"] in ("weighted_add", "hcl") else 0.0
    tau = case["tau_plus"] if case["kind"] in ("dcl", "hcl") else 0.0
    d = d_km[keep.numpy()]
    if case["pair"] == "logit":
        z = np.zeros(n)
        if case.get("kappa_hard", 0) > 0:
            more, _ = expected_and_found(case, d, apart[keep.numpy()])
            z = np.maximum(0, more) / np.maximum(np.interp(np.log(d), np.log([b[5] for b in BINS]), [b[4] for b in BINS]), 0.02)
        u = torch.as_tensor(np.clip(np.where(d < case["rho"], -case["kappa"] * (1 - g) * (1 + z), case.get("kappa_hard", 0) * z), -4, 4))
        exponent = beta * neg + u
    else:
        hardness = torch.as_tensor(g if case["pair"] == "beta" else 1 - g)
        exponent = beta * hardness * (neg - (torch.logsumexp(neg, 0) - math.log(n)).detach())
    log_w = (exponent - torch.logsumexp(exponent, 0)).detach()
    log_r = math.log(n) + torch.logsumexp(log_w + neg, 0)
    floored = False
    if tau > 0:
        c, floor = math.log(tau) + math.log(n) + pos, math.log(n) - s.detach()
        left = log_r + torch.log1p(-torch.exp(c - log_r)) - math.log1p(-tau) if log_r > c else None
        floored = left is None or bool(left <= floor)
        log_r = floor if floored else left
    weighs = case["kind"] in ("weighted_add", "hcl") and beta > 0
    return torch.logaddexp(log_r, pos) - pos, floored, n * log_w.max().exp().item() if weighs else 0


def oracle(case, data):
    t = {k: torch.tensor(data[k], dtype=torch.float64, requires_grad=True) for k in INPUTS if k in data}
    samples, views = len(data["latlon"]), len(data["images"]) // len(data["latlon"])
    scaled = case["kind"] != "triplet"
    s = t["log_scale"].exp() if scaled else torch.tensor(1.0, dtype=torch.float64)
    bias = t["bias"] if case["kind"] == "siglip" else 0
    columns = torch.cat([t["places"]] + ([t["candidates"]] if "candidates" in t else []))
    where = np.concatenate([data["latlon"]] + ([data["candidate_latlon"]] if "candidates" in t else []))
    keys = np.concatenate([data["keys"]] + ([data["candidate_keys"]] if "candidates" in t else []))
    used = [KEYS.index(k) for k in case.get("mask_same", [])]

    def masked(i, places, column_keys):
        out = np.isnan(places[:, 0])
        d = distance_km(data["latlon"][i], places)
        if case.get("mask_km", 0) > 0:
            out |= d < case["mask_km"]
        if places is where and "candidate_km" in data:
            out[len(data["latlon"]):] |= d[len(data["latlon"]):] < data["candidate_km"]
        for k in used:
            if column_keys is not None:
                out |= (column_keys[:, k] == data["keys"][i, k]) & (data["keys"][i, k] != 0)
        return out, d

    forward = backward = 0.0
    report = {"correct": 0, "positive": 0.0, "left_out": 0.0, "floored": 0, "largest_weight": 0.0}
    features = data.get("features", np.full((samples * views, 1), np.nan))
    first = features[::views]
    owners = np.full((len(where), features.shape[1]), np.nan)
    owners[:samples] = first
    if "candidate_features" in data:
        known = np.where(data["candidate_features"].any(1, keepdims=True), data["candidate_features"], np.nan)
        owners[samples:samples + len(known)] = known
    for row in range(samples * views):
        i = row // views
        if np.isnan(data["latlon"][i, 0]):
            continue
        l = s * (columns @ t["images"][row]) + bias
        out, d = masked(i, where, keys)
        apart = 1 - owners @ features[row]
        if "negatives" in t:
            m = t["negatives"].shape[1]
            l = torch.cat([l, s * (t["negatives"][i] @ t["images"][row]) + bias])
            o, e = masked(i, data["negative_latlon"][i * m:(i + 1) * m], None)
            out, d, apart = np.concatenate([out, o]), np.concatenate([d, e]), np.concatenate([apart, np.full(m, np.nan)])
        out[i] = False
        loss, floored, largest = row_loss(case, l, i, out, d, data["draws"][row], s, apart)
        forward = forward + loss
        report["correct"] += bool(l[i] >= l[:samples].max())
        report["positive"] += l[i].item()
        there = np.concatenate([~np.isnan(where[:, 0])] + ([~np.isnan(data["negative_latlon"][i * m:(i + 1) * m, 0])] if "negatives" in t else []))
        report["left_out"] += (out & there).sum() / (there.sum() - 1)  # padding is no candidate
        report["floored"] += floored
        report["largest_weight"] += largest
    share = case.get("gps_to_image", 0.0)
    for j, view in itertools.product(range(samples), range(views)):
        if share == 0 or np.isnan(data["latlon"][j, 0]):
            continue
        own = j * views + view
        l = s * (t["images"] @ t["places"][j]) + bias
        out, d = masked(j, np.repeat(data["latlon"], views, 0), np.repeat(data["keys"], views, 0))
        out[j * views:(j + 1) * views] = True
        out[own] = False
        backward = backward + row_loss(case, l, own, out, d, data["draws"][own], s, 1 - features @ first[j])[0]
    total = (1 - share) * forward + share * backward
    total.backward()
    report["sum"] = total.item()
    for name, tensor in t.items():
        if tensor.grad is not None:
            report["d_" + name] = tensor.grad.numpy()
    return report
