"""Keys and shapes of the authors' checkpoints, spelled out from the tables of key names and not from our modules."""

import torch

WINDOWS = {"fashion": {3: 3, 2: 5}, "market": {2: 3}}
SIZES = (64, 128, 256)


class Layout:
    """Collects {key: shape} block by block."""

    def __init__(self):
        self.shapes = {}

    def layer(self, at, *weight, bias=None):
        self.shapes[f"{at}.weight"] = weight
        self.shapes[f"{at}.bias"] = (weight[0] if bias is None else bias,)

    def weight(self, at, *weight):
        self.shapes[f"{at}.weight"] = weight

    def spectral(self, at, out, *rest):
        self.shapes[f"{at}.weight_orig"] = (out, *rest)
        self.shapes[f"{at}.weight_u"] = (out,)
        self.shapes[f"{at}.weight_v"] = (torch.Size(rest).numel(),)
        self.shapes[f"{at}.bias"] = (out,)

    def encoder_block(self, at, i, o):
        self.layer(f"{at}.model.0", i)
        self.layer(f"{at}.model.2", o, i, 4, 4)
        self.layer(f"{at}.model.3", o)
        self.layer(f"{at}.model.5", o, o, 3, 3)

    def encoder(self, net, first, sizes=SIZES):
        names = ("block0", "encoder0", "encoder1", "encoder2", "encoder3")
        for name, i, o in zip(names, (first, *sizes), sizes):
            self.encoder_block(f"{net}.{name}", i, o)

    def main_path(self, at, i, o):
        for position, shape in ((0, (i,)), (2, (i, i, 3, 3)), (3, (i,)), (5, (o, i, 3, 3))):
            self.layer(f"{at}.model.{position}", *shape)

    def decoder_block(self, at, i, o, h):
        self.layer(f"{at}.model.0", i)
        self.layer(f"{at}.model.2", h, i, 3, 3)
        self.layer(f"{at}.model.3", h)
        self.layer(f"{at}.model.5", h, o, 3, 3, bias=o)
        self.layer(f"{at}.shortcut.0", i, o, 3, 3, bias=o)

    def doubled(self, at, i, o):
        self.layer(f"{at}.conv1", o, i, 3, 3)
        self.layer(f"{at}.model.2", o, i, 3, 3)

    def flow_net(self, net, first, layers, branches=1):
        self.encoder(net, first, (32, 64, 128, 256, 256))
        for n, (i, o) in enumerate(((256, 256), (256, 128), (128, 64))):
            self.decoder_block(f"{net}.decoder{n}", i, o, o)
            self.doubled(f"{net}.jump{n}", o, o)
            if 4 - n in layers:
                self.layer(f"{net}.output{n}", 2 * branches, o, 3, 3)
                self.layer(f"{net}.mask{n}.0", branches, o, 3, 3)

    def decoder(self, windows, kinds=("",)):
        """The target net after its encoder; ``kinds`` of attention: "" alone, or "_p" and "_r"."""
        for n, (i, o) in enumerate(((256, 128), (128, 64), (64, 64))):
            self.main_path(f"target.decoder{n}.0.model.0", i, i)
            self.decoder_block(f"target.decoder{n}.1", i, o, i)
            if k := windows.get(3 - n):
                for kind in kinds:
                    self.layer(f"target.attn{kind}{n}.fully_connect_layer.0", 128, 2 * i, k, k)
                    self.layer(f"target.attn{kind}{n}.fully_connect_layer.2", k * k, 128, 1, 1)
        self.doubled("target.outconv", 64, 3)

    def spectral_block(self, at, i, o, h, first=(3, 3), second=(4, 4), skip=(1, 1)):
        self.spectral(f"{at}.model.1", h, i, *first)
        self.spectral(f"{at}.model.3", o, h, *second)
        self.spectral(f"{at}.shortcut.1", o, i, *skip)

    def discriminator(self, layers=4, first=3):
        blocks = (
            ("block0", first, 32, 32),
            ("encoder0", 32, 64, 32),
            ("encoder1", 64, 128, 64),
            ("encoder2", 128, 128, 128),
        )
        for block in blocks[:layers]:
            self.spectral_block(*block)
        self.spectral("conv", 1, 128, 1, 1)


def table(task):
    """Return {key: shape} of a task of pairs."""
    layout = Layout()
    if task.startswith("discriminator"):
        layout.discriminator(3 if task.endswith("market") else 4)
        return layout.shapes
    windows = WINDOWS[task.removesuffix("-flow")]
    layout.flow_net("flow_net", 39, windows)
    if not task.endswith("-flow"):
        layout.encoder("source", 3)
        layout.encoder("target", 18)
        layout.decoder(windows)
    return layout.shapes
