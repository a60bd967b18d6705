"""Asks checkdmarc about names of a local DNS server: `kind<TAB>name<TAB>text` on standard input, `kind<TAB>name<TAB>verdict` on standard output."""

import json
import logging
import sys

import dns.resolver
from checkdmarc import dmarc, mta_sts, smtp_tls_reporting, spf

logging.disable(logging.CRITICAL)
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
resolver.port = int(sys.argv[1])


def judge(kind, name, text):
    if kind == "spf":
        spf.get_spf_record(name, resolver=resolver)
    elif kind == "dmarc":
        dmarc.get_dmarc_record(name, resolver=resolver)
    elif kind == "mta-sts":
        found = mta_sts.query_mta_sts_record(name, resolver=resolver)
        mta_sts.parse_mta_sts_record(found["record"])
    elif kind == "policy":
        mta_sts.parse_mta_sts_policy(text)
    elif kind == "tls-rpt":
        found = smtp_tls_reporting.query_smtp_tls_reporting_record(name, resolver=resolver)
        smtp_tls_reporting.parse_smtp_tls_reporting_record(found["record"])


for line in sys.stdin:
    kind, name, text = line.rstrip("\n").split("\t")
    try:
        judge(kind, name, json.loads(text))
        verdict = "valid"
    except Exception as error:  # its error types are its verdicts
        verdict = type(error).__name__
    print(f"{kind}\t{name}\t{verdict}", flush=True)
