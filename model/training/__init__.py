"""Fine-tune a base model on reports with known impressions.

Torch is imported when a run starts, not when this package is.
"""

from model.training.recipe import Recipe, load_recipe
from model.training.run import Trained, run_training

__all__ = ["Recipe", "Trained", "load_recipe", "run_training"]
