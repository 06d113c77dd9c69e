"""ipaas: a headless integration server that runs pipelines kept as YAML files in git."""

__version__ = "0.1.0"
