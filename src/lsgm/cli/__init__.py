"""The command `lsgm`: one verb per stage, each usable by hand and called by exactly one kind of workflow rule.

Only this package reads the environment and settings files. Exit codes: 0 done, 2 bad input, 75 stopped but resumable.
"""
