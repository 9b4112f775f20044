# SPDX-License-Identifier: Apache-2.0
"""TeG's backbones as a PyTorch module that loads a model of teg-train:

    from r3d import load
    net = load("model.safetensors").eval()
    features = net(torch.rand(1, 3, 32, 224, 224))  # RGB in [0, 1] -> [1, 16, 2048], one vector every two frames
"""
import json
import torch
from safetensors import safe_open
from torch import nn

STAGES = {"r3d50": (64, (3, 4, 6, 3)), "r3d-tiny": (16, (1, 1, 1, 1))}


class ConvNorm(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=(1, 1, 1), names=("conv", "bn")):
        super().__init__()
        self.names = names
        self.add_module(names[0], nn.Conv3d(c_in, c_out, kernel, stride, tuple(k // 2 for k in kernel), bias=False))
        self.add_module(names[1], nn.BatchNorm3d(c_out))

    def forward(self, x):
        return getattr(self, self.names[1])(getattr(self, self.names[0])(x))


class Bottleneck(nn.Module):
    def __init__(self, c_in, width, kernel, stride, first):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(c_in, width, (kernel, 1, 1), 1, (kernel // 2, 0, 0), bias=False), nn.BatchNorm3d(width)
        self.conv2, self.bn2 = nn.Conv3d(width, width, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False), nn.BatchNorm3d(width)
        self.conv3, self.bn3 = nn.Conv3d(width, 4 * width, 1, bias=False), nn.BatchNorm3d(4 * width)
        self.shortcut = ConvNorm(c_in, 4 * width, (1, 1, 1), (1, stride, stride)) if first else nn.Identity()

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.shortcut(x)).relu()


class R3D(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.stem = ConvNorm(3, width, (5, 7, 7), (2, 2, 2))
        c_in = width
        for i, n in enumerate(blocks):
            kernel, stride, f = 3 if i > 1 else 1, 2 if i else 1, width << i
            self.add_module(f"res{i + 2}", nn.Sequential(*(
                Bottleneck(c_in if b == 0 else 4 * f, f, kernel, stride if b == 0 else 1, b == 0) for b in range(n))))
            c_in = 4 * f

    def map(self, x):  # [N, 3, T, H, W] -> [N, C, T/2, H/32, W/32]
        x = nn.functional.max_pool3d(self.stem(x).relu(), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        return self.res5(self.res4(self.res3(self.res2(x))))

    def forward(self, x):
        return self.map(x).mean((3, 4)).transpose(1, 2)


def load(path):
    with safe_open(path, "pt") as f:
        net = R3D(*STAGES[json.loads(f.metadata()["model"])["backbone"]])
        net.load_state_dict({k: f.get_tensor(k) for k in f.keys() if k in net.state_dict()}, strict=False)
    return net
