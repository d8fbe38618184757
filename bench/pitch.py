"""Gross pitch errors on noisy speech, against the track of the same clean speech (SPEC 3.3, 10).

    python bench/pitch.py PAIRS_DIR

PAIRS_DIR is what make_pairs.py wrote: pairs.csv and the files it names. A frame counts as voiced where the clean
correlation is above 0.6, and as a gross error where the period found in the noise is more than 10 % off.
"""
