#!/usr/bin/env python3
"""Writes goldens.json: what a PyTorch implementation of the model gives for fixed weights and inputs.

The test suite itself needs no Python. To make the file again, on Debian or Ubuntu:

    sudo apt-get install --no-install-recommends python3-torch libopenblas0-pthread
    /usr/bin/python3 tests/model/goldens/make_goldens.py

Everything is computed in f64 from weights that are exact in f32, so a difference to the goldens is the error of the
implementation under test. Weights and images come from an integer hash that weights.ts repeats; they are not stored.

Letters: B batch, T positions, C width, H heads, D head size, V vocabulary, P image tokens, R response tokens of the
whole batch, row after row. Every linear weight is (in, out): Y = X W + b.

A row of the batch holds image tokens at 0..P-1, prompt ids, response ids, then padding up to T:
    prefix[b] = P + promptLength[b]    length[b] = prefix[b] + responseLength[b]
"""

import json
import math
import pathlib

import numpy
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

CONFIG = dict(
    imageSize=32, patchSize=8, visionWidth=32, visionLayers=1, visionHeads=2, mergeFactor=2, vocabularySize=32,
    contextLength=32, width=32, layers=2, heads=2, valueWidth=16, normEpsilon=1e-5, imageNormalization="per-image",
)
PROMPT_LENGTHS = [3, 6, 5]
RESPONSE_LENGTHS = [5, 8, 4]
ACTION_STARTS = [3, 5, 1]  # offset in the response: thought before, action from here on
PAD_ID, IMAGE_ID, FIRST_PIECE_ID = 0, 1, 4
GRADIENT_SAMPLES = 64

SFT_GRADIENTS = [
    "vision.patch_embedding.weight", "vision.position_embedding.weight", "vision.blocks.0.norm_1.weight",
    "vision.blocks.0.attention.qkv.weight", "vision.blocks.0.attention.out.bias", "vision.blocks.0.mlp.down.weight",
    "vision.norm.bias", "projector.up.weight", "projector.down.bias", "language.token_embedding.weight",
    "language.position_embedding.weight", "language.blocks.0.attention.qkv.weight", "language.blocks.1.norm_2.weight",
    "language.blocks.1.mlp.up.bias", "language.norm.weight", "language.head.weight",
]
VALUE_GRADIENTS = ["value_head.up.weight", "value_head.up.bias", "value_head.down.weight", "value_head.down.bias"]
PPO_GRADIENTS = [
    "vision.patch_embedding.weight", "projector.up.weight", "language.blocks.1.attention.qkv.weight",
    "language.head.weight",
]


# ---- numbers from a formula (weights.ts repeats these lines) ---------------------------------------------------------

def hashes(name, count):
    """u32 (count): murmur3's finaliser over FNV-1a(name) + element * golden ratio."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    h = numpy.uint32(seed) + numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    h = (h ^ (h >> numpy.uint32(16))) * numpy.uint32(0x85EBCA6B)
    h = (h ^ (h >> numpy.uint32(13))) * numpy.uint32(0xC2B2AE35)
    return h ^ (h >> numpy.uint32(16))


def units(name, count):
    """f64 (count), uniform in [-1, 1): the hash's upper 24 bits, exact in f32."""
    return (hashes(name, count) >> numpy.uint32(8)).astype(numpy.float64) / 2**23 - 1


def make_weight(name, shape):
    u = units(name, math.prod(shape))
    if name.endswith(".bias"):
        values = u * 0.125
    elif "norm" in name:
        values = 1 + u * 0.25
    elif is_table(name):
        values = u * 0.5
    else:
        values = u * 0.25
    return torch.tensor(values.astype(numpy.float32).astype(numpy.float64).reshape(shape))


def make_images(batch, size):
    """u8 (B, S, S, 3). Channel c is darkened by c bits, so that channels have different statistics."""
    h = hashes("images", batch * size * size * 3).reshape(batch, size, size, 3)
    return (h >> numpy.uint32(24)) >> numpy.arange(3, dtype=numpy.uint32)


def make_ids(name, count):
    pieces = CONFIG["vocabularySize"] - FIRST_PIECE_ID
    return [FIRST_PIECE_ID + int(h) % pieces for h in hashes(name, count)]


# ---- the model -------------------------------------------------------------------------------------------------------

def is_table(name):
    return "token_embedding" in name or "position_embedding" in name


def parameter_shapes(c):
    def linear(name, n_in, n_out):
        return [(f"{name}.weight", (n_in, n_out)), (f"{name}.bias", (n_out,))]

    def norm(name, width):
        return [(f"{name}.weight", (width,)), (f"{name}.bias", (width,))]

    def block(name, width):
        return (norm(f"{name}.norm_1", width) + linear(f"{name}.attention.qkv", width, 3 * width)
                + linear(f"{name}.attention.out", width, width) + norm(f"{name}.norm_2", width)
                + linear(f"{name}.mlp.up", width, 4 * width) + linear(f"{name}.mlp.down", 4 * width, width))

    width, vision = c["width"], c["visionWidth"]
    shapes = linear("vision.patch_embedding", c["patchSize"] ** 2 * 3, vision)
    shapes += [("vision.position_embedding.weight", ((c["imageSize"] // c["patchSize"]) ** 2, vision))]
    for i in range(c["visionLayers"]):
        shapes += block(f"vision.blocks.{i}", vision)
    shapes += norm("vision.norm", vision)
    shapes += linear("projector.up", c["mergeFactor"] ** 2 * vision, width) + linear("projector.down", width, width)
    shapes += [("language.token_embedding.weight", (c["vocabularySize"], width)),
               ("language.position_embedding.weight", (c["contextLength"], width))]
    for i in range(c["layers"]):
        shapes += block(f"language.blocks.{i}", width)
    shapes += norm("language.norm", width) + [("language.head.weight", (width, c["vocabularySize"]))]
    return shapes + linear("value_head.up", width, c["valueWidth"]) + linear("value_head.down", c["valueWidth"], 1)


class Vlm:
    def __init__(self, config):
        self.config = config
        self.parameters = {
            name: make_weight(name, shape).requires_grad_() for name, shape in parameter_shapes(config)
        }

    def linear(self, name, x):
        return x @ self.parameters[f"{name}.weight"] + self.parameters[f"{name}.bias"]

    def norm(self, name, x):
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        unit = (x - mean) / torch.sqrt(variance + self.config["normEpsilon"])
        return unit * self.parameters[f"{name}.weight"] + self.parameters[f"{name}.bias"]

    def mlp(self, up, down, x):
        x = self.linear(up, x)
        x = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return self.linear(down, x)

    def attention(self, name, x, heads, visible):
        """visible: bool (B, T query, T key)."""
        batch, positions, width = x.shape
        size = width // heads
        q, k, v = self.linear(f"{name}.qkv", x).split(width, dim=-1)
        q, k, v = (y.reshape(batch, positions, heads, size).transpose(1, 2) for y in (q, k, v))  # (B, H, T, D)
        scores = q @ k.transpose(-1, -2) / math.sqrt(size)
        scores = scores.masked_fill(~visible[:, None], -math.inf)
        mixed = torch.softmax(scores, dim=-1) @ v
        return self.linear(f"{name}.out", mixed.transpose(1, 2).reshape(batch, positions, width))

    def block(self, name, x, heads, visible):
        x = x + self.attention(f"{name}.attention", self.norm(f"{name}.norm_1", x), heads, visible)
        return x + self.mlp(f"{name}.mlp.up", f"{name}.mlp.down", self.norm(f"{name}.norm_2", x))

    def image_tokens(self, images):
        """u8 (B, S, S, 3) -> (B, P, C)."""
        c = self.config
        x = torch.tensor(images.astype(numpy.float64)) / 255
        if c["imageNormalization"] == "per-image":
            x = (x - x.mean((1, 2), keepdim=True)) / (x.std((1, 2), unbiased=False, keepdim=True) + 0.05)
        else:
            x = (x - 0.5) / 0.5
        batch, grid, patch = len(x), c["imageSize"] // c["patchSize"], c["patchSize"]
        x = x.reshape(batch, grid, patch, grid, patch, 3).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, grid * grid, patch * patch * 3)  # patch vectors in order (py, px, channel)
        x = self.linear("vision.patch_embedding", x) + self.parameters["vision.position_embedding.weight"]
        everything = torch.ones(batch, grid * grid, grid * grid, dtype=torch.bool)
        for i in range(c["visionLayers"]):
            x = self.block(f"vision.blocks.{i}", x, c["visionHeads"], everything)
        x = self.norm("vision.norm", x)
        # Merged token (y, x): its children (2y, 2x), (2y, 2x+1), (2y+1, 2x), (2y+1, 2x+1) side by side.
        merge, width = c["mergeFactor"], c["visionWidth"]
        x = x.reshape(batch, grid // merge, merge, grid // merge, merge, width).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, (grid // merge) ** 2, merge * merge * width)
        return self.mlp("projector.up", "projector.down", x)

    def hidden(self, image_tokens, ids, prefix, length):
        """(B, P, C), ids (B, T) -> (B, T, C) behind the final norm."""
        c = self.config
        count, positions = image_tokens.shape[1], ids.shape[1]
        text = self.parameters["language.token_embedding.weight"][ids[:, count:]]
        x = torch.cat([image_tokens, text], dim=1) + self.parameters["language.position_embedding.weight"][:positions]
        at = torch.arange(positions)
        query, key = at[None, :, None], at[None, None, :]
        visible = (key < length[:, None, None]) & ((key <= query) | (key < prefix[:, None, None]))
        for i in range(c["layers"]):
            x = self.block(f"language.blocks.{i}", x, c["heads"], visible)
        return self.norm("language.norm", x)


class Batch:
    def __init__(self, config):
        count = (config["imageSize"] // config["patchSize"] // config["mergeFactor"]) ** 2
        self.images = make_images(len(PROMPT_LENGTHS), config["imageSize"])
        self.prefix = torch.tensor([count + n for n in PROMPT_LENGTHS])
        self.length = self.prefix + torch.tensor(RESPONSE_LENGTHS)
        self.ids = torch.full((len(PROMPT_LENGTHS), int(self.length.max())), PAD_ID)
        for b, (prompt, response) in enumerate(zip(PROMPT_LENGTHS, RESPONSE_LENGTHS)):
            row = [IMAGE_ID] * count + make_ids(f"prompt.{b}", prompt) + make_ids(f"response.{b}", response)
            self.ids[b, :len(row)] = torch.tensor(row)
        # Response token j stands at position prefix + j and is predicted at the position before.
        pairs = [(b, int(self.prefix[b]) + j) for b, n in enumerate(RESPONSE_LENGTHS) for j in range(n)]
        self.rows = torch.tensor([b for b, _ in pairs])  # (R)
        self.positions = torch.tensor([t for _, t in pairs])  # (R)
        self.taken = self.ids[self.rows, self.positions]  # (R)
        is_action = torch.tensor([j >= ACTION_STARTS[b] for b, n in enumerate(RESPONSE_LENGTHS) for j in range(n)])
        self.is_action = is_action
        self.returns = torch.tensor(units("returns", len(PROMPT_LENGTHS)))
        self.advantages = torch.tensor([1.5, -0.75, 0.5])


def forward(model, batch):
    tokens = model.image_tokens(batch.images)
    hidden = model.hidden(tokens, batch.ids, batch.prefix, batch.length)
    logits = hidden[batch.rows, batch.positions - 1] @ model.parameters["language.head.weight"]  # (R, V)
    features = hidden[torch.arange(len(batch.prefix)), batch.prefix - 1].detach()  # stop gradient
    values = model.mlp("value_head.up", "value_head.down", features)[:, 0]  # (B)
    return tokens, logits, values


def log_probs(logits, taken, temperature):
    """-> log p of the taken tokens (R), entropy (R)."""
    log_p = torch.log_softmax(logits / temperature, dim=-1)
    return log_p[torch.arange(len(taken)), taken], -(log_p.exp() * log_p).sum(-1)


def losses(model, batch):
    """-> mean of -log p over all response tokens, 0.5 * mean of (v - return)^2."""
    _, logits, values = forward(model, batch)
    taken, _ = log_probs(logits, batch.taken, 1.0)
    return -taken.mean(), 0.5 * ((values - batch.returns) ** 2).mean()


def ppo(model, batch, temperature, coefficient, clip):
    """log pi = coefficient * sum of thought log-probs + sum of action log-probs, per row;
    ratio = exp(log pi - log pi of the behaviour);
    policy loss = -mean of min(ratio * A, clamp(ratio, 1 - clip, 1 + clip) * A);
    value loss = 0.5 * mean of max((v - return)^2, (v_old + clamp(v - v_old, -clip, clip) - return)^2)."""
    _, logits, values = forward(model, batch)
    taken, _ = log_probs(logits, batch.taken, temperature)
    # Behaviour log-probs: moved per row so that row 0 stays inside the clip range, row 1 (A < 0) is far above it and
    # keeps its gradient, row 2 (A > 0) is above it and has none; plus a little noise per token.
    shift = torch.tensor([0.01, -0.1, -0.2])[batch.rows] + 0.01 * torch.tensor(units("behaviour", len(taken)))
    behaviour = torch.tensor(rounded(taken.detach() + shift))
    old_values = torch.tensor(rounded(values.detach() + torch.tensor([0.05, -0.5, 0.5])))
    weight = torch.where(batch.is_action, 1.0, coefficient)
    row_sum = torch.zeros(len(values)).index_add
    log_pi, log_pi_old = (row_sum(0, batch.rows, weight * x) for x in (taken, behaviour))
    ratio = torch.exp(log_pi - log_pi_old)
    gain = torch.minimum(ratio * batch.advantages, ratio.clamp(1 - clip, 1 + clip) * batch.advantages)
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    error = torch.maximum((values - batch.returns) ** 2, (clipped - batch.returns) ** 2)
    assert 1 - clip < ratio[0] < 1 + clip and ratio[1] > 1 + clip and ratio[2] > 1 + clip, ratio
    return dict(policy_loss=-gain.mean(), value_loss=0.5 * error.mean(), ratio=ratio, behaviour=behaviour,
                old_values=old_values)


def train(model, batch, steps, lr=1e-3, beta1=0.9, beta2=0.98, epsilon=1e-8, decay=0.01, clip=1.0):
    """AdamW on SFT loss + value loss; policy and value head are clipped apart. Losses are taken before each step."""
    m = {name: torch.zeros_like(p) for name, p in model.parameters.items()}
    v = {name: torch.zeros_like(p) for name, p in model.parameters.items()}
    curve = []
    for step in range(1, steps + 1):
        sft, value = losses(model, batch)
        gradients = gradients_of(sft + value, model, list(model.parameters))
        norms = {}
        for is_value in (False, True):
            group = [name for name in gradients if name.startswith("value_head.") == is_value]
            norm = math.sqrt(sum(float((gradients[name] ** 2).sum()) for name in group))
            norms[is_value] = norm
            for name in group:
                gradients[name] = gradients[name] * min(1, clip / (norm + 1e-6))
        curve.append(dict(sftLoss=float(sft), valueLoss=float(value), policyNorm=norms[False], valueNorm=norms[True]))
        with torch.no_grad():
            for name, p in model.parameters.items():
                g = gradients[name]
                m[name] = beta1 * m[name] + (1 - beta1) * g
                v[name] = beta2 * v[name] + (1 - beta2) * g * g
                m_hat, v_hat = m[name] / (1 - beta1**step), v[name] / (1 - beta2**step)
                wd = decay if p.ndim == 2 and not is_table(name) else 0.0
                p -= lr * (m_hat / (torch.sqrt(v_hat) + epsilon) + wd * p)
    return curve


# ---- output ----------------------------------------------------------------------------------------------------------

def rounded(values):
    return [float(f"{x:.9g}") for x in values.detach().flatten().tolist()]


def gradients_of(loss, model, names):
    gradients = torch.autograd.grad(loss, [model.parameters[name] for name in names], allow_unused=True)
    return {
        name: torch.zeros_like(model.parameters[name]) if g is None else g for name, g in zip(names, gradients)
    }


def sampled(gradient):
    """Every `stride`-th element, at most GRADIENT_SAMPLES of them, and the L2 norm of all."""
    stride = math.ceil(gradient.numel() / GRADIENT_SAMPLES)
    if stride > 1:
        stride |= 1  # odd, so that the samples of a matrix lie in different columns
    return dict(shape=list(gradient.shape), norm=rounded(gradient.norm())[0], stride=stride,
                samples=rounded(gradient.flatten()[::stride]))


def sampled_gradients(loss, model, names):
    return {name: sampled(g) for name, g in gradients_of(loss, model, names).items()}


def main():
    model, batch = Vlm(CONFIG), Batch(CONFIG)
    tokens, logits, values = forward(model, batch)
    fixed_tokens, _, _ = forward(Vlm({**CONFIG, "imageNormalization": "fixed"}), batch)
    temperatures = []
    for temperature in (1.0, 0.5):
        taken, entropy = log_probs(logits, batch.taken, temperature)
        temperatures.append(dict(temperature=temperature, logProbs=rounded(taken), entropy=rounded(entropy)))
    sft, value = losses(model, batch)
    ppo_settings = dict(temperature=0.5, coefficient=0.5, clip=0.2)
    result = ppo(model, batch, **ppo_settings)
    goldens = dict(
        config=CONFIG,
        batch=dict(
            ids=batch.ids.tolist(), prefix=batch.prefix.tolist(), length=batch.length.tolist(),
            rows=batch.rows.tolist(), positions=batch.positions.tolist(), taken=batch.taken.tolist(),
            isAction=batch.is_action.tolist(), returns=rounded(batch.returns), advantages=rounded(batch.advantages),
        ),
        formula=dict(
            weights={name: dict(shape=list(p.shape), first=p.flatten()[:4].tolist(), sum=rounded(p.sum())[0])
                     for name, p in model.parameters.items()},
            images=dict(first=batch.images.flatten()[:9].tolist(), sum=int(batch.images.sum())),
        ),
        forward=dict(
            imageTokens=rounded(tokens), imageTokensFixed=rounded(fixed_tokens), logits=rounded(logits),
            values=rounded(values), temperatures=temperatures,
        ),
        sft=dict(loss=rounded(sft)[0], gradients=sampled_gradients(sft, model, SFT_GRADIENTS)),
        value=dict(loss=rounded(value)[0], gradients=sampled_gradients(
            losses(model, batch)[1], model, VALUE_GRADIENTS)),
        ppo=dict(
            temperature=ppo_settings["temperature"], **{"lambda": ppo_settings["coefficient"]},
            clip=ppo_settings["clip"], behaviourLogProbs=rounded(result["behaviour"]),
            oldValues=rounded(result["old_values"]), ratios=rounded(result["ratio"]),
            policyLoss=rounded(result["policy_loss"])[0], valueLoss=rounded(result["value_loss"])[0],
            gradients=sampled_gradients(result["policy_loss"], model, PPO_GRADIENTS),
            valueGradients=sampled_gradients(result["value_loss"], model, VALUE_GRADIENTS),
        ),
        training=dict(lr=1e-3, beta1=0.9, beta2=0.98, epsilon=1e-8, weightDecay=0.01, clip=1.0,
                      steps=[{key: float(f"{x:.9g}") for key, x in step.items()} for step in train(model, batch, 10)]),
    )
    path = pathlib.Path(__file__).parent / "goldens.json"
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in goldens.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"wrote {path.name}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
