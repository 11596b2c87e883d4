"""The networks of animation, faces, views and motion a second time, on state dictionaries in the authors' layout."""

import torch
import torch.nn.functional as F
from authors_layout import WINDOWS, Layout
from naive_gfla import Naive, act

FASHION = WINDOWS["fashion"]


def table(task):
    """Return {key: shape} of a task."""
    layout = Layout()
    if task == "keypoint":
        return _keypoint(layout)
    if task == "discriminator-face":
        layout.discriminator(first=6)
    elif task == "discriminator-temporal":
        in_time = {"first": (3, 3, 3), "second": (3, 4, 4), "skip": (1, 1, 1)}
        layout.spectral_block("block0", 3, 32, 32, **in_time)
        layout.spectral_block("block1", 32, 64, 32, **in_time)
        for name in ("encoder0", "encoder1"):
            layout.spectral_block(name, 128, 128, 128)
        layout.spectral("conv", 1, 128, 1, 1)
    elif task.startswith("shapenet"):
        layout.flow_net("flow_net", 3, FASHION)
        layout.main_path("flow_net.cat.model.0", 277, 256)
        layout.layer("flow_net.cat.model.0.shortcut.0", 256, 277, 1, 1)
        if task == "shapenet":
            layout.encoder("source", 3)
            layout.decoder_block("target.block0", 21, 64, 21)
            layout.decoder_block("target.block1", 64, 256, 64)
            layout.decoder(FASHION)
    else:
        if task == "dance":
            layout.flow_net("flow_net_previous", 43, FASHION)
            layout.flow_net("flow_net_reference", 43, FASHION)
        else:
            layout.flow_net("flow_net", 54, FASHION, branches=2)
        layout.encoder("source_previous", 3)
        layout.encoder("source_reference", 3)
        layout.encoder("target", {"dance": 20, "face": 16}[task])
        layout.decoder(FASHION, kinds=("_p", "_r"))
    return layout.shapes


def _keypoint(layout):
    layout.weight("kp_input.expand_conv", 256, 34, 3)
    layout.weight("kp_input.expand_ln", 256, 1)
    layout.shapes["kp_input.expand_ln.bias"] = (256, 1)
    layout.layer("kp_input.shrink", 34, 256, 1)
    for j in range(6):
        layout.weight(f"kp_input.layers_conv.{j}", 256, 256, 3 if j % 2 == 0 else 1)
        layout.layer(f"kp_input.layers_ln.{j}.mlp_shared.0", 128, 256)
        layout.layer(f"kp_input.layers_ln.{j}.mlp_gamma", 256, 128)
        layout.layer(f"kp_input.layers_ln.{j}.mlp_beta", 256, 128)
    for j in (1, 2, 3):
        layout.weight(f"kp_input.feature_conv_{j}", 256, 34 if j == 1 else 256, 3)
    return layout.shapes


class NaiveAnimation(Naive):
    """Adds the clips' networks; lists of flows and masks in the authors' order: previous, reference, coarse to fine."""

    def clip(self, source, source_pose, poses):
        """Return per frame (image, flows, masks) of ``poses`` (B, T, S, H, W)."""
        previous, previous_pose, frames = source, source_pose, []
        for pose in poses.unbind(1):
            if "flow_net.output1.weight" in self.state:  # faces: one estimator
                x = torch.cat([pose, previous, previous_pose, source, source_pose], 1)
                flows, masks = self.flow_net(x, FASHION)
                flows = [half for flow in flows for half in (flow[:, :2], flow[:, 2:])]
                masks = [half for mask in masks for half in (mask[:, :1], mask[:, 1:])]
            else:
                p = self.named("flow_net_previous").flow_net(torch.cat([previous, previous_pose, pose], 1), FASHION)
                r = self.named("flow_net_reference").flow_net(torch.cat([source, source_pose, pose], 1), FASHION)
                flows, masks = ([p[i][0], r[i][0], p[i][1], r[i][1]] for i in (0, 1))
            image = self.frame(previous, source, pose, flows, masks)
            frames.append((image, flows, masks))
            previous, previous_pose = image, pose
        return frames

    def frame(self, previous, source, pose, flows, masks):
        features = self.features("source_previous", previous), self.features("source_reference", source)

        def attend(layer, x):
            first = 2 * (3 - layer)
            return sum(
                self.blend(
                    f"target.attn_{'pr'[branch]}{3 - layer}",
                    features[branch][layer],
                    x,
                    flows[first + branch],
                    masks[first + branch],
                    FASHION[layer],
                )
                for branch in (0, 1)
            )

        return self.decode(self.features("target", pose)[3], FASHION, attend)

    def named(self, net):
        """Return the flow net ``net`` as the one that is called flow_net."""
        return Naive({n.replace(net, "flow_net"): value for n, value in self.state.items() if n.startswith(net)})

    def view_flow(self, source, source_code, target_code):
        def merge(x):
            change = (source_code - target_code).expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, change], 1)
            at = "flow_net.cat.model.0"
            return self.main_path(at, x) + self.conv(f"{at}.shortcut.0", x)

        return self.flow_net(source, FASHION, merge)

    def view(self, source, source_code, target_code):
        flows, masks = self.view_flow(source, source_code, target_code)
        features = self.features("source", source)
        x = target_code.expand(-1, -1, source.shape[2] // 32, source.shape[3] // 32)  # 8 x 8 for 256 x 256
        x = self.decoder_block("target.block1", self.decoder_block("target.block0", x))

        def attend(layer, x):
            i = 3 - layer
            return self.blend(f"target.attn{i}", features[layer], x, flows[i], masks[i], FASHION[layer])

        return self.decode(x, FASHION, attend), flows, masks

    def keypoint(self, x):
        """Return joints (B, 34, L - 80), without dropout."""
        f = x
        for j in (1, 2, 3):
            f = act(self.conv1d(f"feature_conv_{j}", f, stride=2))
        f = f.mean(2)
        x = layer_norm(self.conv1d("expand_conv", x))
        x = act(x * self.state["kp_input.expand_ln.weight"] + self.state["kp_input.expand_ln.bias"])
        for j, d in enumerate((3, 9, 27)):
            crop = x[:, :, d:-d]
            x = act(self.adaln(2 * j, self.conv1d(f"layers_conv.{2 * j}", x, dilation=d), f))
            x = act(self.adaln(2 * j + 1, self.conv1d(f"layers_conv.{2 * j + 1}", x), f)) + crop
        return self.conv1d("shrink", x) + self.state["kp_input.shrink.bias"][:, None]

    def adaln(self, j, x, f):
        def linear(name, f):
            at = f"kp_input.layers_ln.{j}.{name}"
            return f @ self.state[f"{at}.weight"].T + self.state[f"{at}.bias"]

        hidden = linear("mlp_shared.0", f).clamp(min=0)
        return layer_norm(x) * (1 + linear("mlp_gamma", hidden)[..., None]) + linear("mlp_beta", hidden)[..., None]

    def conv1d(self, name, x, **options):
        return F.conv1d(x, self.state[f"kp_input.{name}.weight"], **options)

    def temporal(self, clip, training):
        """Return scores of clips (B, 3, 6, H, W)."""
        x = clip
        for block in ("block0", "block1"):
            main = self.spectral(f"{block}.model.1", act(x), training, padding=1)
            main = self.spectral(f"{block}.model.3", act(main), training, stride=(1, 2, 2), padding=(0, 1, 1))
            pooled = F.avg_pool3d(x, (3, 2, 2), stride=(1, 2, 2))
            x = main + self.spectral(f"{block}.shortcut.1", pooled, training)
        x = x.reshape(len(x), 128, *x.shape[3:])
        rest = Naive({n: v for n, v in self.state.items() if not n.startswith("block")})
        scores = rest.discriminator(x, training)
        self.state.update(rest.state)
        return scores


def layer_norm(x):
    mean, variance = x.mean((1, 2), keepdim=True), x.var((1, 2), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt()
