# SPDX-License-Identifier: Apache-2.0
"""TeG's backbones in PyTorch, loading a model of teg-train:

    load("model.safetensors").eval()(torch.rand(1, 3, 32, 224, 224))  # RGB in [0, 1] -> [1, 16, 2048], one every two frames
"""
import json
from safetensors import safe_open
from torch import nn

STAGES = {"r3d50": (64, (3, 4, 6, 3)), "r3d-tiny": (16, (1, 1, 1, 1))}


def conv(c_in, c_out, kernel, stride=(1, 1, 1)):
    return nn.Conv3d(c_in, c_out, kernel, stride, tuple(k // 2 for k in kernel), bias=False)


class ConvNorm(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.conv, self.bn = conv(*shape), nn.BatchNorm3d(shape[1])

    def forward(self, x):
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, c_in, f, kernel, stride, first):
        super().__init__()
        self.conv1, self.bn1 = conv(c_in, f, (kernel, 1, 1)), nn.BatchNorm3d(f)
        self.conv2, self.bn2 = conv(f, f, (1, 3, 3), (1, stride, stride)), nn.BatchNorm3d(f)
        self.conv3, self.bn3 = conv(f, 4 * f, (1, 1, 1)), nn.BatchNorm3d(4 * f)
        self.shortcut = ConvNorm(c_in, 4 * f, (1, 1, 1), (1, stride, stride)) if first else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return (self.bn3(self.conv3(y)) + self.shortcut(x)).relu()


class R3D(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.stem = ConvNorm(3, width, (5, 7, 7), (2, 2, 2))
        for i, n in enumerate(blocks):
            f, c_in = width << i, (2 << i) * width if i else width
            self.add_module(f"res{i + 2}", nn.Sequential(*(Bottleneck(
                4 * f if b else c_in, f, 3 if i > 1 else 1, 2 if i and not b else 1, not b) for b in range(n))))

    def map(self, x):  # [N, 3, T, H, W] -> [N, C, T/2, H/32, W/32]
        x = nn.functional.max_pool3d(self.stem(x).relu(), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        return self.res5(self.res4(self.res3(self.res2(x))))

    def forward(self, x):
        return self.map(x).mean((3, 4)).transpose(1, 2)


def load(path):
    with safe_open(path, "pt") as f:
        net = R3D(*STAGES[json.loads(f.metadata()["model"])["backbone"]])
        net.load_state_dict({k: f.get_tensor(k) for k in net.state_dict() if "tracked" not in k}, strict=False)
    return net
