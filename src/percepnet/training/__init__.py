"""Training of percepnet models: corpus, mixtures, features through the native core, the network in PyTorch, export.

The only part of the package that needs PyTorch, SciPy and pyroomacoustics: ``pip install percepnet[train]``.
"""
