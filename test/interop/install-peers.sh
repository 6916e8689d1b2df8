#!/usr/bin/env bash
# Fetches and builds the servers of others that the tests in this folder run, into .cache/peers. What a machine has no
# tools for is left out, with a word: its tests are passed over.
set -uo pipefail
cd "$(dirname "$0")/../.."
peers=.cache/peers
mkdir -p "$peers"

KEYCLOAK=26.7.3

left_out() { printf 'not installed, its tests are passed over: %s\n' "$1"; }

zitadel() { go build -C test/interop/zitadel -o "$PWD/$peers/zitadel-peer" .; }
fosite() { go build -C test/interop/fosite -o "$PWD/$peers/fosite-peer" .; }

# The data in memory and the features are settled here: a start takes half the time then.
keycloak() {
  local home="$peers/keycloak" zip="$peers/keycloak-quarkus-dist-$KEYCLOAK.zip"
  # A start without --optimized builds it anew, without the features.
  test "$(cat "$home/built" 2>/dev/null)" = "$KEYCLOAK" && ! test "$home/lib/quarkus/generated-bytecode.jar" -nt "$home/built" && return 0
  rm -rf "$home" "$peers/keycloak-$KEYCLOAK"
  timeout 180 mvn -q -B dependency:copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK:zip" -DoutputDirectory="$peers" \
    && python3 -m zipfile -e "$zip" "$peers" && rm "$zip" && mv "$peers/keycloak-$KEYCLOAK" "$home" \
    && chmod +x "$home/bin/kc.sh" \
    && "$home/bin/kc.sh" build --db=dev-mem --cache=local --features=jwt-authorization-grant,identity-assertion-jwt \
    && echo "$KEYCLOAK" >"$home/built"
}

has() { for tool in "$@"; do command -v "$tool" >/dev/null || return 1; done; }
get() { "$1" >"$peers/$1.log" 2>&1 || left_out "$1: $(tail -n 1 "$peers/$1.log")"; }

if has go; then get zitadel; get fosite; else left_out 'the peers in Go need Go 1.26'; fi
if has java mvn; then get keycloak; else left_out 'Keycloak needs Java 17 and Maven'; fi
