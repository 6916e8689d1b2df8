import type { AuditRecord, AuditSink } from '../core/audit.ts'
import type { Services } from '../core/exchange.ts'
import type { ValueMap } from '../core/value.ts'
import type { BatchLimits } from './batch-request.ts'
import { FORM_LIMITS, type FormLimits } from './form.ts'
import type { ForwardAuth } from './forward-auth.ts'
import type { GuessLimiter } from './guess.ts'
import type { Lane } from './turn.ts'

/** One tenant, as HTTP serves it. */
export interface GatewayTenant {
  readonly services: Services
  /** Default: {@link FORM_LIMITS}. */
  readonly limits?: FormLimits | undefined
  /** A listener asks clients for certificates, so that tokens can be bound to them. Said in the metadata. */
  readonly mutualTls?: boolean | undefined
  /** Members that the metadata has beside those that follow from the tenant, which they cannot change. */
  readonly metadata?: ValueMap | undefined
  /** Where DPoP proofs must carry a nonce of ours: the one to be used next. */
  readonly nonces?: { current(now: number): string } | undefined
  /** Exchanges begun and not answered, beyond which others are refused. Default: {@link CONCURRENT_EXCHANGES}. */
  readonly concurrent?: number | undefined
  /** Who guesses credentials of its clients. Default: a limiter of its own. */
  readonly guesses?: GuessLimiter | undefined
  /** Endpoints for proxies. */
  readonly forwardAuth?: readonly ForwardAuth[] | undefined
  /** Batches are taken, within these limits. Default: none are. */
  readonly batch?: BatchLimits | undefined
  /** How the issuers of the tenant stand, for the metrics. */
  readonly issuers?: (() => readonly IssuerStatus[]) | undefined
}

interface IssuerStatus {
  readonly issuer: string
  /** Its keys are at hand. */
  readonly ready: boolean
  /** Seconds since the epoch; `undefined`: they are not fetched. */
  readonly fetchedAt?: number | undefined
}

/** Where a tenant's endpoints are, from its issuer identifier. */
export interface Paths {
  /** Path of the issuer without a slash at its end; empty for the root. */
  readonly base: string
  readonly token: string
  readonly batch: string
  readonly jwks: string
  readonly coseKeys: string
  readonly certificates: string
  readonly metadata: string
  /** The same document where clients of OpenID Connect look for it (RFC 8414 §5), behind the path of the issuer. */
  readonly discovery: string
}

/** Where the endpoints for proxies are, behind the path of the issuer: nothing else of any tenant is there. */
export const FORWARD_AUTH = '/forward-auth'

/**
 * RFC 8414 §3.1: the well-known suffix goes between host and path, and a slash at the end of the path goes first. The
 * token endpoint is where the configuration says that clients find it.
 */
export function pathsOf({ issuer, tokenEndpoint }: Pick<Services, 'issuer' | 'tokenEndpoint'>): Paths {
  const base = new URL(issuer).pathname.replace(/\/$/, '')
  return {
    base,
    token: new URL(tokenEndpoint).pathname,
    batch: `${new URL(tokenEndpoint).pathname}/batch`,
    jwks: `${base}/jwks`,
    coseKeys: `${base}/cose-keys`,
    certificates: `${base}/ca.pem`,
    metadata: `/.well-known/oauth-authorization-server${base}`,
    discovery: `${base}/.well-known/openid-configuration`,
  }
}

/** A tenant with what is the same for each of its requests. */
export interface Site {
  readonly tenant: GatewayTenant
  /** Those of the tenant, its audit records counted on their way. */
  readonly services: Services
  readonly limits: FormLimits
  readonly paths: Paths
  /** Host and port of the issuer. */
  readonly host: string
  /** Of this tenant's clients: another's may have the same names. */
  readonly guesses: GuessLimiter
  /** Where its exchanges wait for their turn. */
  readonly lane: Lane
}

/** What a site has of the gateway that serves it. */
export interface SiteTools {
  /** Told of each record. */
  readonly count: (record: AuditRecord) => void
  readonly guesses: GuessLimiter
  readonly lane: Lane
}

export function siteOf(tenant: GatewayTenant, { count, guesses, lane }: SiteTools): Site {
  const { audit, issuer } = tenant.services
  const counted: AuditSink = {
    write(record) {
      audit.write(record)
      count(record)
    },
    healthy: () => audit.healthy?.() ?? true,
  }
  return {
    tenant,
    services: { ...tenant.services, audit: counted },
    limits: tenant.limits ?? FORM_LIMITS,
    paths: pathsOf(tenant.services),
    host: new URL(issuer).host,
    guesses,
    lane,
  }
}
