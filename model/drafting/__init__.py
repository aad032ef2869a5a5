"""Draft by a recipe: training reports, a classifier of what is normal, an adapter, and a vote.

A recipe is data (``recipes/``); weights are never kept here. Scikit-learn and torch are imported
when a recipe that needs them is run.
"""

from model.drafting.by_recipe import Drafted, draft_by_recipe
from model.drafting.recipe import DraftingRecipe, load_drafting_recipe

__all__ = ["Drafted", "DraftingRecipe", "draft_by_recipe", "load_drafting_recipe"]
