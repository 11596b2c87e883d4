"""The networks a second time: slow, functional, on a state dictionary in the authors' layout. Here those of pairs.

Written from the tables of layers and key names, with materialised patches, and importing nothing of ``repro``: what the
package's modules, its patch-free attention and its mapping of names must agree with.
"""

import math

import torch
import torch.nn.functional as F


def fill(shapes):
    """Return a checkpoint with these keys and shapes, every number given by a formula; doubled keys agree."""
    state = {}
    for number, (name, shape) in enumerate(shapes.items()):
        if ".conv1." in name and (twin := name.replace("conv1", "model.2")) in state:
            state[name] = state[twin]
            continue
        if ".model.2." in name and (twin := name.replace("model.2", "conv1")) in state:
            state[name] = state[twin]
            continue
        index = torch.arange(math.prod(shape), dtype=torch.float64)
        values = torch.sin(0.37 * number + 0.7 * index + 0.013 * index**2)  # a chirp: no two rows alike
        if name.endswith("weight_u"):
            values = values / values.norm()
        elif name.endswith("weight_v"):  # near one power iteration, or u and v would be orthogonal and scores huge
            matrix = state[name[:-1] + "orig"].double().flatten(1)
            iterated = matrix.T @ state[name[:-1] + "u"].double()
            values = iterated / iterated.norm() + 0.3 * values / values.norm()
            values = values / values.norm()
        elif name.endswith("bias"):
            values = 0.1 * values
        elif len(shape) == 1:  # scale of a norm
            values = 1 + 0.3 * values
        else:
            values = values * 1.4 / math.sqrt(math.prod(shape[1:]))
        if ".output" in name:  # flows of several pixels, also beyond the border
            values = 3 * values
        if ".fully_connect_layer.2" in name:  # kernels far from uniform
            values = 4 * values
        state[name] = values.view(shape).float()
    return state


class Naive:
    """The authors' networks as functions of ``state`` (any dtype; the input's should be the same)."""

    def __init__(self, state):
        self.state = state

    def generator(self, source, source_pose, target_pose, windows):
        """Return image, flows, masks; ``windows``: {layer: k}."""
        flows, masks = self.flow_net(torch.cat([source, source_pose, target_pose], 1), sorted(windows, reverse=True))
        guides = dict(zip(sorted(windows, reverse=True), zip(flows, masks)))
        features = self.features("source", source)

        def attend(layer, x):
            return self.blend(f"target.attn{3 - layer}", features[layer], x, *guides[layer], windows[layer])

        return self.decode(self.features("target", target_pose)[3], windows, attend), flows, masks

    def features(self, net, x):
        features = {}
        for layer, name in ((1, "block0"), (2, "encoder0"), (3, "encoder1")):
            features[layer] = x = self.encoder_block(f"{net}.{name}", x)
        return features

    def blend(self, at, features, x, flow, mask, k):
        return (1 - mask) * x + mask * self.attention(at, features, x, flow, k)

    def decode(self, x, windows, attend):
        for i in range(3):
            if 3 - i in windows:
                x = attend(3 - i, x)
            x = self.main_path(f"target.decoder{i}.0.model.0", x) + x
            x = self.decoder_block(f"target.decoder{i}.1", x)
        return torch.tanh(self.padded("target.outconv.conv1", x))

    def flow_net(self, x, layers, bottleneck=lambda x: x):
        skips = []
        for name in ("block0", "encoder0", "encoder1", "encoder2", "encoder3"):
            x = self.encoder_block(f"flow_net.{name}", x)
            skips.append(x)
        x = bottleneck(x)
        flows, masks = [], []
        for i in range(3):
            x = self.decoder_block(f"flow_net.decoder{i}", x) + self.padded(f"flow_net.jump{i}.model.2", skips[3 - i])
            if 4 - i in layers:
                flows.append(self.conv(f"flow_net.output{i}", x, padding=1))
                masks.append(torch.sigmoid(self.conv(f"flow_net.mask{i}.0", x, padding=1)))
        return flows, masks

    def encoder_block(self, at, x):
        x = self.conv(f"{at}.model.2", self.norm_act(f"{at}.model.0", x), stride=2, padding=1)
        return self.conv(f"{at}.model.5", self.norm_act(f"{at}.model.3", x), padding=1)

    def main_path(self, at, x):
        x = self.conv(f"{at}.model.2", self.norm_act(f"{at}.model.0", x), padding=1)
        return self.conv(f"{at}.model.5", self.norm_act(f"{at}.model.3", x), padding=1)

    def decoder_block(self, at, x):
        main = self.conv(f"{at}.model.2", self.norm_act(f"{at}.model.0", x), padding=1)
        main = self.double(f"{at}.model.5", self.norm_act(f"{at}.model.3", main))
        return main + self.double(f"{at}.shortcut.0", x)

    def padded(self, at, x):
        return self.conv(at, F.pad(act(x), (1, 1, 1, 1), mode="reflect"))

    def attention(self, at, source, target, flow, k):
        source_patches = block_extract(source, flow, k)
        target_patches = block_extract(target, torch.zeros_like(flow), k)
        hidden = self.conv(f"{at}.fully_connect_layer.0", torch.cat([target_patches, source_patches], 1), stride=k)
        kernel = self.conv(f"{at}.fully_connect_layer.2", act(hidden)).softmax(1)
        return F.avg_pool2d(F.pixel_shuffle(kernel, k) * source_patches, k)

    def conv(self, at, x, **options):
        return F.conv2d(x, self.state[f"{at}.weight"], self.state[f"{at}.bias"], **options)

    def double(self, at, x):
        weight, bias = self.state[f"{at}.weight"], self.state[f"{at}.bias"]
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)

    def norm_act(self, at, x):
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
        scale, shift = (self.state[f"{at}.{part}"].view(1, -1, 1, 1) for part in ("weight", "bias"))
        return act((x - mean) / (variance + 1e-5).sqrt() * scale + shift)

    def discriminator(self, x, training):
        """Return the scores; in training mode the state's u and v advance by one iteration."""
        blocks = sorted({name.split(".")[0] for name in self.state} - {"conv"})  # block0 comes before encoder0...
        for block in blocks:
            main = self.spectral(f"{block}.model.1", act(x), training, padding=1)
            main = self.spectral(f"{block}.model.3", act(main), training, stride=2, padding=1)
            x = main + self.spectral(f"{block}.shortcut.1", F.avg_pool2d(x, 2), training)
        return self.spectral("conv", act(x), training)

    def spectral(self, at, x, training, **options):
        weight, u, v = (self.state[f"{at}.weight_{part}"] for part in ("orig", "u", "v"))
        matrix = weight.reshape(len(weight), -1)
        if training:
            v = matrix.T @ u
            v = v / v.norm()
            u = matrix @ v
            u = u / u.norm()
            self.state[f"{at}.weight_u"], self.state[f"{at}.weight_v"] = u, v
        convolve = F.conv3d if weight.ndim == 5 else F.conv2d
        return convolve(x, weight / (u @ matrix @ v), self.state[f"{at}.bias"], **options)


def act(x):
    return torch.where(x > 0, x, 0.1 * x)


def block_extract(source, flow, k):
    """Return the k x k source patches (B, C, k h, k w) around own position + flow, each tap read bilinearly."""
    batch, _, rows, columns = source.shape
    h, w = flow.shape[2:]
    big_rows, big_columns = torch.meshgrid(torch.arange(k * h), torch.arange(k * w), indexing="ij")
    i, a = big_rows // k, big_rows % k - k // 2
    j, b = big_columns // k, big_columns % k - k // 2
    y, x = i + flow[:, 1, i, j] + a, j + flow[:, 0, i, j] + b
    top, left = y.floor(), x.floor()
    beta, alpha = y - top, x - left
    out = 0
    for down, weight_y in ((0, 1 - beta), (1, beta)):
        for right, weight_x in ((0, 1 - alpha), (1, alpha)):
            r = (top + down).clamp(0, rows - 1).long()
            c = (left + right).clamp(0, columns - 1).long()
            value = torch.stack([source[n][:, r[n], c[n]] for n in range(batch)])
            out = out + (weight_y * weight_x)[:, None] * value
    return out
