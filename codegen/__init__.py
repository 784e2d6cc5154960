"""Writes the package's resources and models from the catalogue: ``python -m codegen``."""
