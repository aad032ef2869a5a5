"""Score drafts in two ways, which share who drafts, the overlap of words, and the same reports.

``by_truth.py`` holds them against what a synthetic corpus knows of its findings (``truth.py``,
``truth_scores.py``): how well an engine keeps to invented reports. ``by_reference.py`` holds text
against anyone's impressions (``content.py``, ``intervals.py``). Neither tells accuracy on patients,
and no threshold is set here.
"""

from model.evaluation.by_truth import Evaluation, run_evaluation
from model.evaluation.truth_scores import MEANING

__all__ = ["MEANING", "Evaluation", "run_evaluation"]
