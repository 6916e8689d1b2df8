import type { Value } from '../core/value.ts'
import type { ConfigurationPlaces } from '../explain/found.ts'
import type { ForwardedFrom } from '../gateway/forwarded.ts'
import type { CertificateHeader } from '../gateway/forwarded-certificate.ts'
import type { KeyEntry } from '../keys/index.ts'
import type { Report } from '../profiles/report.ts'
import type { Source } from '../profiles/source.ts'
import type { FetchEntry, IssuerEntry } from '../trust/index.ts'

/** The configuration, checked and with paths still as written. */
export interface Configuration {
  /** The file it came from; names in it are relative to its folder. */
  readonly file: string
  readonly listeners: readonly ListenerEntry[]
  /** Where spans go; absent: nowhere. */
  readonly tracing?: TracingEntry | undefined
  readonly tenants: readonly TenantEntry[]
  /** Gathers what is wrong with a tenant, with its place in the file. Absent: it was not read from one. */
  readonly reportFor?: (tenant: TenantEntry) => Report
  /** Where the entries of a tenant stand, for what is said of them later. Absent: it was not read from a file. */
  readonly placesFor?: (tenant: TenantEntry) => ConfigurationPlaces
  /** The document, with the place of each of its members. Absent: it was not read from a file. */
  readonly source?: Source
}

export interface TracingEntry {
  readonly otlp_endpoint: string
  readonly service_name?: string
  readonly sample_ratio?: number
  readonly headers_file?: string
}

export interface ListenerEntry {
  readonly host?: string
  readonly port: number
  readonly operations?: boolean
  readonly operators?: { readonly secret_file?: string; readonly secret_env?: string }
  readonly forward_auth?: boolean
  readonly tls?: { readonly certificate: string; readonly key: string; readonly client_ca?: string }
}

export interface TenantEntry {
  /** `default` in the plain case of one tenant. */
  readonly name: string
  readonly issuer: string
  readonly keys: readonly KeyEntry[]
  readonly secrets?: readonly SecretEntry[]
  readonly clients?: readonly ClientEntry[]
  readonly issuers?: readonly IssuerEntry[]
  readonly profiles: string | readonly string[]
  readonly forward_auth?: readonly ForwardAuthEntry[]
  readonly batch?: { readonly items?: number; readonly body_bytes?: number }
  readonly limits?: {
    readonly body_bytes?: number
    readonly parameters?: number
    readonly parameter_bytes?: number
    readonly concurrent_exchanges?: number
  }
  readonly audit?: { readonly file?: string; readonly subject_key?: string }
  readonly verification_cache?: { readonly capacity?: number }
  readonly replay?: { readonly capacity?: number }
  readonly x509?: { readonly claims_extension?: string | false; readonly conforming?: boolean }
  readonly dpop_nonce?: boolean
  readonly clock_skew?: number
}

export interface ForwardAuthEntry {
  readonly name: string
  readonly profile: string
  readonly client: string
  readonly client_header?: string
  readonly request_from: ForwardedFrom
  readonly headers?: readonly string[]
  readonly client_certificate?: CertificateHeader
  readonly subject_token_type?: string
  readonly audience?: readonly string[]
  readonly resource?: readonly string[]
  readonly scope?: readonly string[]
  readonly result_header?: string
  readonly max_token_bytes?: number
}

export interface SecretEntry {
  readonly name: string
  readonly file?: string
  readonly env?: string
  readonly value?: string
}

export interface ClientEntry {
  readonly client_id: string
  readonly token_endpoint_auth_method: string
  readonly client_secret?: string
  readonly client_secret_file?: string
  readonly client_secret_env?: string
  readonly client_secret_sha256?: string | readonly string[]
  readonly jwks?: Value
  readonly jwks_file?: string
  readonly jwks_uri?: string
  readonly fetch?: FetchEntry
  readonly assertion_audience?: 'issuer' | 'legacy'
  readonly assertion_max_lifetime?: number
  readonly certificate_authorities?: string
  readonly tls_client_auth_subject_dn?: string
  readonly tls_client_auth_san_dns?: string
  readonly tls_client_auth_san_uri?: string
  readonly tls_client_auth_san_ip?: string
  readonly tls_client_auth_san_email?: string
  readonly dpop_bound_access_tokens?: boolean
}
