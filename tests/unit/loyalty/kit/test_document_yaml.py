"""Documents as people read them."""

from loyalty.kit.document_yaml import write


def test_fields_come_in_human_order_and_short_things_on_one_line() -> None:
    flow = {
        "steps": [
            {
                "exits": {"timeout": "nudge", "happened": "vip"},
                "type": "wait_for_event",
                "timeout": "3d",
                "id": "pause",
            },
            {"to": ["email", "sms"], "template": "winback", "type": "send", "id": "hello"},
        ],
        "key": "winback",
        "reentry": {"after": "90d"},
        "entry": [{"key": "cart_id", "where": {"amount": {"gte": 20}}, "event": "cart_updated"}],
        "kind": "flow",
    }
    assert write([flow]) == (
        "---\n"
        "kind: flow\n"
        "key: winback\n"
        "entry:\n"
        "  - {event: cart_updated, where: {amount: {gte: 20}}, key: cart_id}\n"
        "reentry: {after: 90d}\n"
        "steps:\n"
        "  - {id: pause, type: wait_for_event, timeout: 3d, exits: {happened: vip, timeout: nudge}}\n"
        "  - {id: hello, type: send, template: winback, to: [email, sms]}\n"
    )


def test_long_text_is_a_block() -> None:
    body = "<mjml>\n  <mj-body/>\n</mjml>\n"
    text = write([{"kind": "template", "key": "t", "locales": {"de": {"body": body, "subject": "Hallo"}}}])
    assert "    subject: Hallo\n    body: |\n      <mjml>\n        <mj-body/>\n      </mjml>\n" in text


def test_text_that_another_reader_takes_for_something_else_is_quoted() -> None:
    values = {"a": "NO", "b": "1e5", "c": "01067", "d": "2026-11-21", "e": "true", "f": ""}
    assert write([{"kind": "x", "key": "y", "values": values}]) == (
        "---\nkind: x\nkey: y\nvalues: {a: 'NO', b: '1e5', c: '01067', d: '2026-11-21', e: 'true', f: ''}\n"
    )


def test_a_value_used_twice_is_written_twice() -> None:
    shared = {"amount": {"gte": 1}}
    assert "&" not in write([{"kind": "x", "key": "y", "a": shared, "b": shared}])


def test_one_long_line_stays_one_line() -> None:
    line = "<mjml>" + "word " * 40 + "</mjml>"
    assert f"body: |-\n  {line}\n" in write([{"kind": "x", "key": "y", "body": line}])
