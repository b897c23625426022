"""Publish one update in each of the SDK's modes, for a context of the mode's name. AMQP_URL=... publish_modes.py TENANT

No event has a revision: its time stands in, which the modes write as text, and as whole milliseconds.
"""
import os, sys, uuid
from datetime import datetime, timezone
import pika
from cloudevents.core.bindings import amqp, http, rabbitmq
from cloudevents.core.v1.event import CloudEvent

tenant = sys.argv[1]


def event(mode):
    page = {"path": "index.html", "content": mode}
    return CloudEvent(
        {"type": "dev.foreshow.context.updated.v1", "source": "/sessions/modes", "id": str(uuid.uuid4()),
         "time": datetime.now(timezone.utc), "subject": "größer, \U0001f680", "datacontenttype": "application/json"},
        {"tenantId": tenant, "contextId": mode, "files": [page]},
    )


def headers(message):
    named = {name.lower(): name for name in message.headers}
    return {name: value for name, value in message.headers.items() if name.lower() != "content-type"}, message.headers[named["content-type"]]


modes = {}
for binding, to in (("binary", rabbitmq.to_binary_event), ("structured", rabbitmq.to_structured_event)):
    message = to(event(f"rabbitmq-{binding}"))
    modes[f"rabbitmq-{binding}"] = (message.headers, message.content_type, message.body)
for binding, to in (("binary", amqp.to_binary_event), ("structured", amqp.to_structured_event)):
    message = to(event(f"amqp-{binding}"))
    modes[f"amqp-{binding}"] = (message.application_properties, message.properties["content-type"], message.application_data)
    if binding == "binary":
        assert isinstance(message.application_properties["cloudEvents_time"], int)
        older = to(event("amqp-older"))
        older_headers = {name.replace("cloudEvents_", "cloudEvents:"): value for name, value in older.application_properties.items()}
        modes["amqp-older"] = (older_headers, older.properties["content-type"], older.application_data)
for binding, to in (("binary", http.to_binary_event), ("structured", http.to_structured_event)):
    message = to(event(f"http-{binding}"))
    modes[f"http-{binding}"] = (*headers(message), message.body)

with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for headers, content_type, body in modes.values():
        properties = pika.BasicProperties(content_type=content_type, headers=headers, delivery_mode=2)
        channel.basic_publish("foreshow.events", f"context.updated.{tenant}", body, properties, mandatory=True)
    # What pika makes of a datetime: AMQP's own timestamp, in whole seconds.
    message = rabbitmq.to_binary_event(event("pika-datetime"))
    native = {**message.headers, "ce-time": datetime.now(timezone.utc)}
    body = message.body[:-1] + b', "revision": 7}' if isinstance(message.body, bytes) else message.body[:-1] + ', "revision": 7}'
    properties = pika.BasicProperties(content_type=message.content_type, headers=native, delivery_mode=2)
    channel.basic_publish("foreshow.events", f"context.updated.{tenant}", body, properties, mandatory=True)
print(*modes, "pika-datetime")
