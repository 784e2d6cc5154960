"""A generator of the package's resources, models and events: ``python -m codegen``."""
