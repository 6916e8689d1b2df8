#!/usr/bin/env bash
# Fetches and builds the servers of others that the tests in this folder run, into .cache/peers. What a machine has no
# tools for is left out, with a word: its tests are passed over.
set -uo pipefail
cd "$(dirname "$0")/../.."
peers=.cache/peers
mkdir -p "$peers"

KEYCLOAK=26.7.3

left_out() { printf 'not installed, its tests are passed over: %s\n' "$1"; }

# The data in memory and the features are settled here: a start takes half the time then.
keycloak() {
  test -e "$peers/keycloak/built-$KEYCLOAK" && return 0
  command -v java >/dev/null && command -v mvn >/dev/null || { left_out 'Keycloak needs Java and Maven'; return 0; }
  rm -rf "$peers/keycloak" "$peers/keycloak-$KEYCLOAK"
  mvn -q -B dependency:copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK:zip" -DoutputDirectory="$peers" \
    && python3 -m zipfile -e "$peers/keycloak-quarkus-dist-$KEYCLOAK.zip" "$peers" \
    && rm "$peers/keycloak-quarkus-dist-$KEYCLOAK.zip" && mv "$peers/keycloak-$KEYCLOAK" "$peers/keycloak" && chmod +x "$peers/keycloak/bin/kc.sh" \
    && "$peers/keycloak/bin/kc.sh" build --db=dev-mem --cache=local --features=jwt-authorization-grant,identity-assertion-jwt \
    && touch "$peers/keycloak/built-$KEYCLOAK"
}

keycloak >"$peers/keycloak.log" 2>&1 || left_out "Keycloak: $(tail -n 1 "$peers/keycloak.log")"
