"""Print a context's results until one is an end. AMQP_URL=... wait_for_result.py TENANT CONTEXT"""
import json, os, sys
import pika
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event

tenant, context = sys.argv[1:]
with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "foreshow.results", f"*.*.{tenant}.{context}")
    print("listening", flush=True)
    for _, properties, body in channel.consume(queue, auto_ack=True):
        result = from_rabbitmq_event(RabbitMQMessage(properties.headers or {}, properties.content_type, body))
        print(json.dumps({"id": result.get_id(), "type": result.get_type(), "data": result.get_data()}), flush=True)
        if result.get_type() != "dev.foreshow.preview.building.v1":
            break
