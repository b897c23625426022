#!/bin/sh
# Gives the users of definitions.json, which come without, their passwords. Runs in the broker's container at each start;
# the container is healthy only afterwards. Passwords go through standard input: a process list shows arguments.
set -eu
ready=${READY_FILE:-/tmp/passwords-are-set}
rm -f "$ready"
# The broker makes the cookie by which rabbitmqctl proves itself; were rabbitmqctl first, it would make another.
tries=0
until [ -s "$HOME/.erlang.cookie" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 180 ] || { echo "the broker does not start: there is no $HOME/.erlang.cookie" >&2; exit 1; }
    sleep 1
done
rabbitmqctl --quiet await_startup --timeout 180
for user in upstream worker gateway consumer operator; do
    variable="FORESHOW_$(echo "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD"
    printenv "$variable" | rabbitmqctl --quiet change_password "foreshow-$user" > /dev/null
done
touch "$ready"
