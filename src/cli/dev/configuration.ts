import { fileURLToPath } from 'node:url'

/** The profiles that ship with the package. */
export const SHIPPED_PROFILES = fileURLToPath(new URL('../../../profiles', import.meta.url))

/** The configuration of domain beta's gateway in `dragoman dev`, beside the files of domain alpha. */
export const devConfiguration = ({ host, port, tlsPort }: { host: string; port: number; tlsPort: number }): string => `\
# The gateway of domain beta, as \`dragoman dev\` runs it. It can be run again with
#   dragoman serve --config dragoman.yaml
# and then has new keys of its own; those of domain alpha are in the files beside it.
issuer: http://${host}:${port}
listeners:
  - { host: ${host}, port: ${port} }
  - { host: ${host}, port: ${tlsPort}, tls: { certificate: tls.pem, key: tls.key, client_ca: alpha-ca.pem } }
keys:
  - { name: signing, algorithm: ES256, generate: true }
  - { name: pq, algorithm: ML-DSA-65, generate: true }
  - { name: ca, algorithm: ES256, generate: true, self_signed: { common_name: Beta Issuing CA } }
secrets:
  - { name: pairwise, file: pairwise.secret }
clients:
  - { client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret_file: demo.secret }
issuers:
  - issuer: https://id.alpha.example
    trust_domain: alpha.example
    jwks_file: alpha-jwks.json
    algorithms: [ES256]
    subjects: [spiffe://alpha.example/*]
  - issuer: https://edge.alpha.example
    trust_domain: alpha.example
    jwks_file: alpha-edge-jwks.json
    algorithms: [ES256]
    subjects: [spiffe://alpha.example/*]
  - issuer: https://ca.alpha.example
    trust_domain: alpha.example
    certificates_file: alpha-ca.pem
    algorithms: [ES256]
    subjects: [spiffe://alpha.example/*]
profiles: ${JSON.stringify(SHIPPED_PROFILES)}
audit: { file: audit.jsonl }
`
