"""Score drafts: against a synthetic corpus's exact truth, or against anyone's impressions.

The truth (``by_truth.py``) says how well an engine keeps to the findings of invented reports; a
comparison (``comparison.py``) holds text against text. Neither tells accuracy on patients, and no
threshold is set here.
"""

from model.evaluation.by_truth import Evaluation, run_evaluation
from model.evaluation.truth_scores import MEANING

__all__ = ["MEANING", "Evaluation", "run_evaluation"]
