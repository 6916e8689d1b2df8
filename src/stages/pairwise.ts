import { createHmac, createSecretKey } from 'node:crypto'
import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Setting } from '../core/stage.ts'
import type { Draft } from '../core/token.ts'
import { secretAt, wrongOption } from './options.ts'
import { faultOf } from './sub.ts'

export const SECTORS = ['audience', 'client', 'sector'] as const

export interface PairwiseOptions {
  readonly secret: string
  readonly per?: (typeof SECTORS)[number]
  readonly sector?: string
  readonly prefix?: string
}

// RFC 2104 §3: a shorter key is the weakest part of HMAC-SHA-256.
const MIN_SECRET_BYTES = 32

/**
 * A subject that is the same each time for one sector, and tells nothing to another: HMAC-SHA-256 over issuer, subject
 * and sector, base64url.
 *
 * The sector is the audience (one only), the client, or a name in the profile that several audiences share.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_TARGET_COUNT` when the sector is the audience and there are several
 */
export function pairwiseIn(options: PairwiseOptions, setting: Setting): (draft: Draft, exchange: Exchange) => string {
  const { per = 'audience', sector, prefix = '' } = options
  if ((per === 'sector') !== (sector !== undefined)) {
    throw wrongOption('pairwise.sector', '`sector` with `per: sector`, and with nothing else')
  }
  const fault = faultOf(`${prefix}x`)
  if (fault !== undefined) throw wrongOption('pairwise.prefix', fault)
  const key = keyIn(options.secret, setting)
  const sectorOf = (draft: Draft, { client }: Exchange): string =>
    per === 'client' ? client.id : (sector ?? onlyAudience(draft))
  return (draft, exchange) => {
    const { claims, provenance } = exchange.subject
    // As JSON the three are kept apart whatever they contain; `per` too, or a client could be named like an audience.
    const input = JSON.stringify([provenance.issuer, claims['sub'], per, sectorOf(draft, exchange)])
    return prefix + createHmac('sha256', key).update(input).digest('base64url')
  }
}

function keyIn(name: string, setting: Setting) {
  const secret = secretAt(name, 'pairwise.secret', setting)
  if (secret.length < MIN_SECRET_BYTES) {
    throw wrongOption('pairwise.secret', `a secret of at least ${MIN_SECRET_BYTES} bytes`)
  }
  return createSecretKey(secret)
}

function onlyAudience({ validity }: Draft): string {
  const [only, another] = validity.audience
  if (only !== undefined && another === undefined) return only
  throw new DragomanError('ERR_PROFILE_TARGET_COUNT', {
    detail: { expected: 'one target, since the subject is made for it', actual: validity.audience.length },
  })
}
