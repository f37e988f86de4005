#!/usr/bin/env python3
"""Times the whole steps of `./ponder bench --only steps` in PyTorch eager, f32: the same model, shapes and losses.

It is not part of the tests. On Debian or Ubuntu:

    sudo apt-get install --no-install-recommends python3-torch libopenblas0-pthread
    /usr/bin/python3 scripts/peer_pytorch.py [--rounds 7] [--threads 1,2] [--steps sft,ppo,rollout,mini]
                                             [--ours results/bench/llvmpipe.json] [--json] [--out FILE]

`--ours` names a run that `./ponder bench --only steps` saved. Each step then also shows how many times faster ponder is, by
wall time. The two runs are made one after the other, so use it only on a quiet machine.

Every step is timed at every thread setting, and the best setting of each step counts. The linear algebra library has one
thread: two of its own beside two of torch oversubscribe two cores and run at half speed.

`--smollm2 FOLDER` times another step: SmolLM2-135M's forward, loss and backward on a folder that `./ponder bench --suite
pretrained` wrote. It prints JSON, with the loss and norms of gradients.

PyTorch does less work than ponder. Patches, the mask and index arrays are made beforehand, and the rollout has neither
environments nor pictures. On a machine with CUDA use `--device cuda --warm-up 2`.

Letters: B batch, T positions, C width, H heads, D head size, V vocabulary, P image tokens, R response tokens.
"""

import argparse
import json
import math
import os
import re
import statistics
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch  # noqa: E402 (the setting above must come first)
import torch.nn.functional as F  # noqa: E402

NANO = dict(image=64, patch=8, vision_width=64, vision_layers=2, vision_heads=2, merge=2, context=96, width=96,
            layers=3, heads=4, value_width=128, vocabulary=96)
MINI = dict(image=96, patch=8, vision_width=256, vision_layers=4, vision_heads=4, merge=2, context=256, width=384,
            layers=6, heads=6, value_width=384, vocabulary=96)


class Vlm:
    def __init__(self, config, device):
        self.config, self.parameters = config, {}
        generator = torch.Generator().manual_seed(0)

        def add(name, *shape, std=0.02):
            values = torch.full(shape, 1.0) if std is None else torch.randn(*shape, generator=generator) * std
            self.parameters[name] = values.to(device).requires_grad_()

        def linear(name, n_in, n_out):
            add(f"{name}.weight", n_in, n_out)
            add(f"{name}.bias", n_out, std=0)

        def norm(name, width):
            add(f"{name}.weight", width, std=None)
            add(f"{name}.bias", width, std=0)

        def block(name, width):
            norm(f"{name}.norm_1", width)
            linear(f"{name}.qkv", width, 3 * width)
            linear(f"{name}.out", width, width)
            norm(f"{name}.norm_2", width)
            linear(f"{name}.up", width, 4 * width)
            linear(f"{name}.down", 4 * width, width)

        c = config
        vision, width = c["vision_width"], c["width"]
        linear("patch", c["patch"] ** 2 * 3, vision)
        add("vision.position", (c["image"] // c["patch"]) ** 2, vision)
        for i in range(c["vision_layers"]):
            block(f"vision.{i}", vision)
        norm("vision.norm", vision)
        linear("projector.up", c["merge"] ** 2 * vision, width)
        linear("projector.down", width, width)
        add("token", c["vocabulary"], width)
        add("position", c["context"], width)
        for i in range(c["layers"]):
            block(f"language.{i}", width)
        norm("language.norm", width)
        add("head", width, c["vocabulary"])
        linear("value.up", width, c["value_width"])
        linear("value.down", c["value_width"], 1)

    def linear(self, name, x):
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight).view(*x.shape[:-1], -1)

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def mlp(self, up, down, x):
        return self.linear(down, F.gelu(self.linear(up, x), approximate="tanh"))

    def block(self, name, x, heads, mask, cache=None):
        """cache: (B, H, capacity, D) keys and values, and the slice of positions that x stands at."""
        batch, positions, width = x.shape
        qkv = self.linear(f"{name}.qkv", self.norm(f"{name}.norm_1", x))
        q, k, v = qkv.view(batch, positions, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        if cache is not None:
            keys, values, at = cache
            keys[:, :, at], values[:, :, at] = k, v
            k, v = keys[:, :, : at.stop], values[:, :, : at.stop]
        if hasattr(F, "scaled_dot_product_attention"):
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
            mixed = torch.softmax(scores if mask is None else scores + mask, dim=-1) @ v
        x = x + self.linear(f"{name}.out", mixed.transpose(1, 2).reshape(batch, positions, width))
        return x + self.mlp(f"{name}.up", f"{name}.down", self.norm(f"{name}.norm_2", x))

    def image_tokens(self, patches):
        """(B, patches, 3 patch^2) -> (B, P, C)."""
        c = self.config
        x = self.linear("patch", patches) + self.parameters["vision.position"]
        for i in range(c["vision_layers"]):
            x = self.block(f"vision.{i}", x, c["vision_heads"], None)
        batch, side, merge = len(x), c["image"] // c["patch"] // c["merge"], c["merge"]
        x = self.norm("vision.norm", x).view(batch, side, merge, side, merge, -1).permute(0, 1, 3, 2, 4, 5)
        return self.mlp("projector.up", "projector.down", x.reshape(batch, side * side, -1))

    def language(self, x, mask, caches=None):
        for i in range(self.config["layers"]):
            x = self.block(f"language.{i}", x, self.config["heads"], mask, caches and caches[i])
        return self.norm("language.norm", x)

    def values(self, hidden, prefix, detaches):
        last = hidden[:, prefix - 1]
        return self.mlp("value.up", "value.down", last.detach() if detaches else last)[:, 0]


class Batch:
    def __init__(self, config, size, prompt, response, device):
        generator = torch.Generator().manual_seed(1)
        c = config
        self.image_tokens = (c["image"] // c["patch"] // c["merge"]) ** 2
        self.prompt, self.response = prompt, response
        self.prefix = self.image_tokens + prompt
        positions = self.prefix + response
        self.patches = torch.randn(size, (c["image"] // c["patch"]) ** 2, c["patch"] ** 2 * 3, generator=generator)
        self.ids = torch.randint(c["vocabulary"], (size, prompt + response), generator=generator)
        self.returns = torch.randn(size, generator=generator)
        self.advantages = torch.randn(size, generator=generator)
        at = torch.arange(positions)
        visible = (at[None] <= at[:, None]) | (at[None] < self.prefix)
        self.mask = torch.zeros(positions, positions).masked_fill(~visible, -math.inf)
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value.to(device))

    def forward(self, model, temperature, detaches_value):
        """-> log-probabilities (B, R), values (B)."""
        p = model.parameters
        text = F.embedding(self.ids, p["token"])
        x = torch.cat([model.image_tokens(self.patches), text], dim=1) + p["position"][: self.mask.shape[0]]
        hidden = model.language(x, self.mask)
        logits = hidden[:, self.prefix - 1:-1] @ p["head"] / temperature
        logprobs = F.log_softmax(logits, dim=-1).gather(-1, self.ids[:, self.prompt:, None])[..., 0]
        return logprobs, model.values(hidden, self.prefix, detaches_value)


def updater(model, trainable, rate=1e-4):
    """Clips the policy and the value head separately, then steps AdamW."""
    for name, parameter in model.parameters.items():
        parameter.requires_grad_(trainable(name))
    named = [(name, p) for name, p in model.parameters.items() if p.requires_grad]
    optimizer = torch.optim.AdamW([p for _, p in named], lr=rate, betas=(0.9, 0.98), weight_decay=0.01)

    def update(loss):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for is_value in (False, True):
            group = [p for name, p in named if name.startswith("value.") == is_value]
            torch.nn.utils.clip_grad_norm_(group, 1.0)
        optimizer.step()
        return float(loss)  # a readback, as ponder has

    return update


def sft_step(config, device, size, prompt, response):
    model, batch = Vlm(config, device), Batch(config, size, prompt, response, device)
    update = updater(model, lambda name: True)

    def step():
        logprobs, values = batch.forward(model, 1.0, detaches_value=False)
        update(-logprobs.mean() + 0.05 * ((values - batch.returns) ** 2).mean())

    return step


def ppo_step(config, device, size, prompt, response, clip=0.2):
    model, batch = Vlm(config, device), Batch(config, size, prompt, response, device)
    frozen = ("head", "token", "position", "vision.position")
    update = updater(model, lambda name: name.startswith("value.") or not (
        name in frozen or "norm" in name or name.endswith(".bias")))
    with torch.no_grad():
        behaviour, old_values = batch.forward(model, 0.4, detaches_value=True)
    weights = torch.full_like(behaviour, 0.5)
    weights[:, -3:] = 1  # the action counts whole, the thought half

    def step():
        logprobs, values = batch.forward(model, 0.4, detaches_value=True)
        ratio = torch.exp(((logprobs - behaviour) * weights).sum(-1))
        gain = torch.minimum(ratio * batch.advantages, ratio.clamp(1 - clip, 1 + clip) * batch.advantages)
        clipped = old_values + (values - old_values).clamp(-clip, clip)
        error = torch.maximum((values - batch.returns) ** 2, (clipped - batch.returns) ** 2)
        update(-gain.mean() + 0.25 * error.mean())

    return step


def rollout_step(config, device, size, prompt, response):
    """Encodes the image, fills the cache, and samples `response` tokens."""
    model, batch = Vlm(config, device), Batch(config, size, prompt, response, device)
    p, heads = model.parameters, config["heads"]
    prefix, capacity = batch.prefix, batch.prefix + response

    @torch.no_grad()
    def step():
        shape = (size, heads, capacity, config["width"] // heads)
        caches = [(torch.empty(shape, device=device), torch.empty(shape, device=device))
                  for _ in range(config["layers"])]
        text = F.embedding(batch.ids[:, :prompt], p["token"])
        x = torch.cat([model.image_tokens(batch.patches), text], dim=1) + p["position"][:prefix]
        hidden = model.language(x, None, [(k, v, slice(0, prefix)) for k, v in caches])
        values, tokens, last = model.values(hidden, prefix, detaches=True), [], hidden[:, -1]
        for at in range(prefix, capacity):
            distribution = torch.softmax(last @ p["head"] / 0.4, dim=-1)
            tokens.append(torch.multinomial(distribution, 1))
            if at + 1 == capacity:
                break
            x = F.embedding(tokens[-1], p["token"]) + p["position"][at]
            last = model.language(x, None, [(k, v, slice(at, at + 1)) for k, v in caches])[:, -1]
        return torch.cat(tokens, 1).cpu(), values.cpu()

    return step


STEPS = {
    "sft": ("SFT step nano batch 64 x 36 tokens", lambda device: sft_step(NANO, device, 64, 6, 14), None),
    "ppo": ("PPO minibatch nano batch 64 x 36 tokens", lambda device: ppo_step(NANO, device, 64, 6, 14), None),
    "rollout": ("rollout nano 32 environments x 14 tokens", lambda device: rollout_step(NANO, device, 32, 6, 14), 32 * 14),
    "mini": ("SFT step mini batch 8 x 128 tokens", lambda device: sft_step(MINI, device, 8, 22, 70), None),
}


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start, tensors = file.tell(), {}
        for name, entry in header.items():
            first, end = entry["data_offsets"]
            file.seek(start + first)
            halves = torch.frombuffer(bytearray(file.read(end - first)), dtype=torch.bfloat16)
            tensors[name] = halves.float().view(entry["shape"])
    return tensors


def smollm2(folder):
    """A Llama of nanoVLM's names: the mean loss of 127 next tokens, and the gradient of every weight."""
    with open(f"{folder}/config.json", encoding="utf8") as file:
        c = json.load(file)
    heads, shared, width = c["lm_n_heads"], c["lm_n_kv_heads"], c["lm_hidden_dim"]
    size, positions = width // heads, 128
    p = {name.removeprefix("decoder."): tensor.requires_grad_()
         for name, tensor in read_safetensors(f"{folder}/model.safetensors").items() if name.startswith("decoder.")}
    ids = (torch.arange(positions) * 7919) % 49152
    angles = torch.arange(positions)[:, None] * c["lm_re_base"] ** (-torch.arange(0, size, 2) / size)
    cos, sin = (f(torch.cat([angles, angles], -1)) for f in (torch.cos, torch.sin))
    mask = torch.full((positions, positions), float("-inf")).triu(1)

    def norm(name, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + c["lm_rms_eps"]) * p[f"{name}.weight"]

    def turn(x):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat([-b, a], -1) * sin

    def step():
        for tensor in p.values():
            tensor.grad = None
        x = F.embedding(ids, p["token_embedding.weight"])
        for i in range(c["lm_n_blocks"]):
            name = f"blocks.{i}"
            y = norm(f"{name}.norm1", x)
            q, k, v = (F.linear(y, p[f"{name}.attn.{part}_proj.weight"]).view(positions, -1, size).transpose(0, 1)
                       for part in "qkv")
            q, k = turn(q), turn(k).repeat_interleave(heads // shared, 0)
            v = v.repeat_interleave(heads // shared, 0)
            mixed = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(size) + mask, -1) @ v
            x = x + F.linear(mixed.transpose(0, 1).reshape(positions, width), p[f"{name}.attn.out_proj.weight"])
            y = norm(f"{name}.norm2", x)
            gate, up = (F.linear(y, p[f"{name}.mlp.{part}_proj.weight"]) for part in ("gate", "up"))
            x = x + F.linear(F.silu(gate) * up, p[f"{name}.mlp.down_proj.weight"])
        logits = F.linear(norm("norm", x)[:-1], p["token_embedding.weight"])
        loss = F.cross_entropy(logits, ids[1:])
        loss.backward()
        return float(loss)

    best = None
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        median = measure(step, 5, 0)["median"]
        best = median if best is None else min(best, median)
    first = [p[f"blocks.0.attn.{part}_proj.weight"].grad for part in "qkv"]
    answers = {
        "loss": step(),
        "norm of d(norm)": float(p["norm.weight"].grad.norm()),
        "norm of d(embedding)": float(p["token_embedding.weight"].grad.norm()),
        "norm of d(first qkv)": math.sqrt(sum(float(grad.norm()) ** 2 for grad in first)),
    }
    print(json.dumps(dict(torch=torch.__version__, seconds=best / 1e3, answers=answers)))


def measure(step, rounds, warm_up):
    """Measures milliseconds: median and quartiles. It warms up for `warm_up` seconds, and for at least two steps."""
    times, until = [], time.perf_counter() + warm_up
    while time.perf_counter() < until:
        step()
    for index in range(rounds + 2):
        start = time.perf_counter()
        step()
        if index >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    low, median, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    return dict(median=median, low=low, high=high)


def our_times(path):
    """Reads ponder's milliseconds by step name, for as much work as a step here."""
    times = {}
    with open(path, encoding="utf8") as file:
        rows = json.load(file).get("rows", [])
    for title, _, _ in STEPS.values():
        for row in rows:
            # ponder's rollout has several steps.
            steps = re.search(r" x (\d+) steps$", row["name"])
            name = row["name"][:steps.start()] if steps else row["name"]
            if row.get("suite") == "steps" and not row["isPeer"] and name == title:
                times[title] = row["wallUs"]["median"] / 1e3 / (int(steps.group(1)) if steps else 1)
    if not times:
        raise SystemExit(f"Cannot compare with {path}: it has no whole steps, run ./ponder bench --only steps")
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", default=",".join(str(n) for n in sorted({1, os.cpu_count() or 1})))
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--warm-up", type=float, default=0, help="seconds: a GPU's clock rises over one or two of work")
    parser.add_argument("--ours", help="a saved run of ./ponder bench to compare with")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", help="also save the JSON in this file")
    parser.add_argument("--smollm2", metavar="FOLDER", help="time SmolLM2-135M's forward, loss and backward instead")
    options = parser.parse_args()
    if options.smollm2:
        return smollm2(options.smollm2)
    unknown = [name for name in options.steps.split(",") if name not in STEPS]
    if unknown:
        parser.error(f"unknown step {', '.join(unknown)}: there are {', '.join(STEPS)}")
    ours = our_times(options.ours) if options.ours else {}
    rows = []
    for name in options.steps.split(","):
        title, make, tokens = STEPS[name]
        step, best = make(options.device), None
        for threads in map(int, options.threads.split(",")):
            torch.set_num_threads(threads)
            result = dict(name=title, threads=threads, ms=measure(step, options.rounds, options.warm_up))
            if best is None or result["ms"]["median"] < best["ms"]["median"]:
                best = result
        if tokens is not None:
            best["tokensPerSecond"] = tokens / best["ms"]["median"] * 1e3
        if title in ours:
            best["ponderMs"] = ours[title]
            best["overPytorch"] = best["ms"]["median"] / ours[title]
        rows.append(best)
        print(f"{title}: {best['ms']['median']:.1f} ms", file=sys.stderr)
    command = " ".join(["python3", "scripts/peer_pytorch.py", *sys.argv[1:]])
    text = json.dumps(dict(torch=torch.__version__, device=options.device, command=command, rows=rows), indent=2)
    if options.out:
        with open(options.out, "w", encoding="utf8") as file:
            file.write(text + "\n")
    if options.json:
        print(text)
        return
    print(f"PyTorch {torch.__version__} eager, {options.device}")
    for row in rows:
        ms = row["ms"]
        spread = (ms["high"] - ms["low"]) / 2 / ms["median"] * 100
        line = f"{row['name']:42} {ms['median']:9.1f} ms ±{spread:.0f}%  at {row['threads']} threads"
        if "tokensPerSecond" in row:
            line += f"  {row['tokensPerSecond']:.0f} tokens/s"
        if "overPytorch" in row:
            line += f"  ponder {row['ponderMs']:.1f} ms, {row['overPytorch']:.2f}x as fast"
        print(line)


if __name__ == "__main__":
    main()
