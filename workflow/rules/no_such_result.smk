# A file of a run that there is not: in place of Snakemake's exception, one line that lists the runs that there are.
rule no_such_result:
    input:
        no_such_result,
    output:
        "results/{unknown}/{file}",
    log:
        "results/logs/{unknown}/{file}.log",
    wildcard_constraints:
        file="|".join(map(re.escape, RESULT_FILES)),
        unknown=f"(?!{KNOWN_RESULT}).+",
    shell:
        "false > {log:q}"
