"""Scores of enhanced recordings against clean ones, with intervals and the worst cases to hear: evaluate(). Extra `eval`.

pairs.py finds which files belong together, signals.py reads and aligns them, scores.py scores one pair, summary.py means
over files, run.py calls them and workers.py spreads the work over processes, report.py and webpage.py show the result.
"""

from percepnet.evaluation.run import Evaluation, Settings, evaluate

__all__ = ["Evaluation", "Settings", "evaluate"]
