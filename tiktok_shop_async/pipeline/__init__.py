"""The pipeline of one call, with a module for each stage; ``run`` composes them."""
