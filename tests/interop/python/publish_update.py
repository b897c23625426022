"""Publish an update of a context. AMQP_URL=... publish_update.py TENANT CONTEXT REVISION FILE"""
import os, sys, uuid
from pathlib import Path
import pika
from cloudevents.core.bindings.rabbitmq import to_binary_event
from cloudevents.core.v1.event import CloudEvent

tenant, context, revision, file = sys.argv[1:]
page = {"path": "index.html", "content": Path(file).read_text()}
event = CloudEvent(
    {"type": "dev.foreshow.context.updated.v1", "source": "/sessions/python", "id": str(uuid.uuid4()),
     "datacontenttype": "application/json"},
    {"tenantId": tenant, "contextId": context, "revision": int(revision), "files": [page]},
)
message = to_binary_event(event)
with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    channel.confirm_delivery()  # from here on, basic_publish returns when the broker has the event safely
    channel.basic_publish(
        "foreshow.events", f"context.updated.{tenant}", message.body,
        pika.BasicProperties(content_type=message.content_type, headers=message.headers, delivery_mode=2),
        mandatory=True,
    )
