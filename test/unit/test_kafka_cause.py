"""Why Kafka does not serve a client.  The texts are librdkafka's, as 2.0.2 and later write them."""

import errno
import os

import pytest
from hypothesis import given, strategies as st

import core

SERVERS = "kafka.example:9092, SASL_SSL://other.example"
EXPIRED, NOT_YET, SELF_SIGNED, NO_ISSUER, HOST, IP = 10, 9, 18, 20, 62, 64

VERIFY = (
    "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: "
    "broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA "
    "certificates are installed (install ca-certificates package) (after 5ms in state SSL_HANDSHAKE)"
)

CASES = [
    (
        "_RESOLVE",
        "kafka.example:9092/bootstrap: Failed to resolve 'kafka.example:9092': Name or service not known (after 3ms in state CONNECT)",
        0,
        "cannot_resolve",
    ),
    (
        "_RESOLVE",
        "inside:9092/1: Failed to resolve 'inside:9092': Name or service not known (after 3ms in state CONNECT)",
        0,
        "advertised_address",
    ),
    (
        "_RESOLVE",
        "GroupCoordinator: inside:9092: Failed to resolve 'inside:9092': Name or service not known (after 3ms in state CONNECT)",
        0,
        "advertised_address",
    ),
    (
        "_RESOLVE",
        "GroupCoordinator: kafka.example:9092: Failed to resolve 'kafka.example:9092': Name or service not known",
        0,
        "cannot_resolve",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        0,
        "connection_refused",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        0,
        "connection_refused",
    ),
    (
        "_TRANSPORT",
        "sasl_ssl://KAFKA.example:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused",
        0,
        "connection_refused",
    ),
    (
        "_TRANSPORT",
        "other.example:9092/7: Connect to ipv4#10.0.0.2:9092 failed: Connection refused",
        0,
        "connection_refused",
    ),
    (
        "_TRANSPORT",
        "other.example:9093/7: Connect to ipv4#10.0.0.2:9093 failed: Connection refused",
        0,
        "advertised_address",
    ),
    (
        "_TRANSPORT",
        "sasl_ssl://inside:9092/1: Connect to ipv4#172.17.0.2:9092 failed: No route to host (after 3060ms in state CONNECT)",
        0,
        "advertised_address",
    ),
    (
        "_TRANSPORT",
        "inside:9092/1: Connection setup timed out in state CONNECT (after 30020ms in state CONNECT)",
        0,
        "advertised_address",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Connection setup timed out in state CONNECT (after 30020ms in state CONNECT)",
        0,
        "unreachable",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: No route to host",
        0,
        "unreachable",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Failed to connect to broker at kafka.example:9092: Network is unreachable (after 0ms in state CONNECT)",
        0,
        "unreachable",
    ),
    (
        "_TRANSPORT",
        "inside:9092/1: Failed to connect to broker at inside:9092: Network is unreachable (after 0ms in state CONNECT)",
        0,
        "advertised_address",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: %s" % os.strerror(errno.ECONNREFUSED),
        0,
        "connection_refused",
    ),
    # by what was seen of the connection (kafka/out_of_reach.c)
    ("_TRANSPORT", "inside:9092/1: Connect to the address that this broker advertises failed", 0, "advertised_address"),
    ("_TRANSPORT", "kafka.example:9092/1: Connect to the address that this broker advertises failed", 0, "unreachable"),
    (
        "_AUTHENTICATION",
        "sasl_plaintext://kafka.example:9092/bootstrap: Failed to initialize SASL authentication: SASL handshake failed (start (-1)): "
        "SASL(-1): generic failure: GSSAPI Error: No credentials were supplied, or the credentials were unavailable or inaccessible",
        0,
        "kerberos_ticket",
    ),
    ("_TRANSPORT", "kafka.example:9092/1: Disconnected (after 90012ms in state UP)", 0, "no_answer"),
    (
        "_TRANSPORT",
        "kafka.example:9092/1: Receive failed: Connection reset by peer (after 512ms in state UP)",
        0,
        "no_answer",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol "
        "configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request)",
        0,
        "security_protocol",
    ),
    (
        "_TRANSPORT",
        "kafka.example:9092/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might require "
        "SASL authentication (after 301ms in state UP)",
        0,
        "security_protocol",
    ),
    (
        "_TRANSPORT",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after 4ms)",
        0,
        "security_protocol",
    ),
    (
        "_SSL",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
        0,
        "security_protocol",
    ),
    ("_SSL", VERIFY, EXPIRED, "certificate_expired"),
    ("_SSL", VERIFY, NOT_YET, "certificate_expired"),
    ("_SSL", VERIFY, HOST, "certificate_name"),
    ("_SSL", VERIFY, IP, "certificate_name"),
    ("_SSL", VERIFY, SELF_SIGNED, "certificate_untrusted"),
    ("_SSL", VERIFY, NO_ISSUER, "certificate_untrusted"),
    ("_SSL", VERIFY, 0, "certificate_untrusted"),
    (
        "_TRANSPORT",
        "sasl_ssl://kafka.example:9092/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 10ms in state SSL_HANDSHAKE)",
        EXPIRED,
        "certificate_expired",
    ),
    (
        "_SSL",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116",
        0,
        "client_certificate",
    ),
    (
        "_SSL",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A000415:SSL routines::sslv3 alert certificate expired: SSL alert number 45",
        EXPIRED,
        "client_certificate",
    ),
    (
        "_SSL",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48",
        0,
        "client_certificate",
    ),
    (
        "_TRANSPORT",
        "ssl://kafka.example:9092/bootstrap: Receive failed: error:0A000416:SSL routines::sslv3 alert certificate unknown: "
        "SSL alert number 46 (after 39ms in state APIVERSION_QUERY)",
        0,
        "client_certificate",
    ),
    (
        "_SSL",
        "ssl://kafka.example:9092/bootstrap: SSL handshake failed: error:0A000410:SSL routines::sslv3 alert handshake failure: SSL alert number 40",
        0,
        "tls_handshake",
    ),
    (
        "_AUTHENTICATION",
        "sasl_ssl://kafka.example:9092/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 4ms)",
        0,
        "authentication",
    ),
    (
        "_AUTHENTICATION",
        "sasl_plaintext://kafka.example:9092/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: "
        "broker's supported mechanisms: PLAIN",
        0,
        "sasl_mechanism",
    ),
    (
        "SASL_AUTHENTICATION_FAILED",
        "kafka.example:9092/bootstrap: SASL authentication error: Authentication failed",
        0,
        "authentication",
    ),
    ("UNSUPPORTED_SASL_MECHANISM", "", 0, "sasl_mechanism"),
    (
        "TOPIC_AUTHORIZATION_FAILED",
        "Subscribed topic not available: t: Broker: Topic authorization failed",
        0,
        "topic_denied",
    ),
    ("GROUP_AUTHORIZATION_FAILED", "JoinGroup failed: Broker: Group authorization failed", 0, "group_denied"),
    ("CLUSTER_AUTHORIZATION_FAILED", "Broker: Cluster authorization failed", 0, "cluster_denied"),
    ("UNKNOWN_TOPIC_OR_PART", "Subscribed topic not available: t: Broker: Unknown topic or partition", 0, "no_topic"),
    ("_UNKNOWN_TOPIC", "", 0, "no_topic"),
    ("UNSUPPORTED_VERSION", "Broker: Unsupported version", 0, "version"),
    ("_UNSUPPORTED_FEATURE", "ApiVersion is not supported", 0, "version"),
    (
        "FENCED_INSTANCE_ID",
        "Broker: Static consumer fenced by other consumer with same group.instance.id",
        0,
        "instance_taken",
    ),
    (
        "_FATAL",
        "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id",
        0,
        "instance_taken",
    ),
    ("_ALL_BROKERS_DOWN", "1/1 brokers are down", 0, "no_answer"),
    ("_TIMED_OUT", "Local: Timed out", 0, "no_answer"),
]


def cause(error_name, text, certificate_error=0, servers=SERVERS):
    return core.kafka_cause_name(core.kafka_cause(error_name, text, certificate_error, servers))


@pytest.mark.parametrize("error_name,text,certificate_error,expected", CASES)
def test_what_librdkafka_says(error_name, text, certificate_error, expected):
    assert cause(error_name, text, certificate_error) == expected


def test_where_kafka_is_not_known_no_address_is_blamed():
    assert cause("_RESOLVE", "inside:9092/1: Failed to resolve 'inside:9092'", servers=None) == "cannot_resolve"


def test_nothing_is_known():
    assert cause(None, None, 0, None) == "no_answer"
    assert cause("_TRANSPORT", None, 0, None) == "no_answer"


def test_each_cause_has_its_own_name_and_words():
    everything = range(core.KAFKA_NCAUSES)
    assert len({core.kafka_cause_name(c) for c in everything}) == core.KAFKA_NCAUSES
    assert len({core.kafka_cause_words(c) for c in everything}) == core.KAFKA_NCAUSES
    assert all(len(core.kafka_cause_sqlstate(c)) == 5 for c in everything)
    assert {expected for _, _, _, expected in CASES} == {core.kafka_cause_name(c) for c in everything}


def test_a_refusal_says_more_than_a_lost_connection():
    c = {core.kafka_cause_name(c): c for c in range(core.KAFKA_NCAUSES)}
    assert core.kafka_cause_says_more(c["certificate_name"], c["no_answer"])
    assert core.kafka_cause_says_more(c["authentication"], c["connection_refused"])
    assert not core.kafka_cause_says_more(c["no_answer"], c["no_answer"])
    # a broker that stops cuts connections off, too: it is a guess
    assert not core.kafka_cause_says_more(c["security_protocol"], c["connection_refused"])
    assert core.kafka_cause_says_more(c["security_protocol"], c["no_answer"])
    assert not core.kafka_cause_says_more(c["connection_refused"], c["authentication"])


def test_the_lists_have_the_same_order():
    assert core.kafka_cause_name(0) == "no_answer"
    assert core.kafka_cause_name(core.KAFKA_NCAUSES - 1) == "instance_taken"


text = st.text(st.sampled_from(":/ ,#.abz019") | st.characters(min_codepoint=1, max_codepoint=255), max_size=60)


@given(
    st.sampled_from(["_TRANSPORT", "_RESOLVE", "_SSL", "_AUTHENTICATION", "_FATAL"]),
    text | st.builds(lambda a, b: a + ": Connect to " + b, text, text),
    st.integers(-1, 100),
    st.none() | text,
)
def test_anything(error_name, said, certificate_error, servers):
    assert cause(error_name, said, certificate_error, servers)
