"""Score drafts against a corpus whose truth is known exactly, beside baselines that know little.

The numbers say how well an engine keeps to the findings on invented reports; they say nothing
about accuracy on patients, and no threshold is set here.
"""

from model.evaluation.run import Evaluation, run_evaluation
from model.evaluation.scores import MEANING

__all__ = ["MEANING", "Evaluation", "run_evaluation"]
