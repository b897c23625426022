#!/bin/sh
# Prints fresh passwords and keys for docker-compose.yml: sh ops/compose/secrets.sh > .env
#
# Do that once: the installation key decides the addresses of all previews. Hexadecimal, so that each may stand in a URL.
set -eu
umask 077
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
for name in UPSTREAM WORKER GATEWAY CONSUMER OPERATOR REDIS; do
    echo "FORESHOW_${name}_PASSWORD=$(random 24)"
done
echo "FORESHOW_GATEWAY_TOKEN=$(random 32)"
echo "FORESHOW_INSTALLATION_KEY=$(random 32)"
