#!/bin/sh
# Redis with the one user of users.acl, whose password it adds as a digest. What it is told becomes durable within a second.
set -eu
digest=$(printf '%s' "$FORESHOW_REDIS_PASSWORD" | sha256sum | cut -d ' ' -f 1)
sed "s/^user foreshow on/& #$digest/" "${ACL_FILE:-/etc/foreshow/users.acl}" > /tmp/users.acl
exec redis-server --aclfile /tmp/users.acl --dir "${DATA_DIR:-/data}" \
    --appendonly yes --save '' --maxmemory-policy noeviction "$@"
