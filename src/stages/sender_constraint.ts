import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Proof } from '../core/proof.ts'
import type { Stage, Transform } from '../core/stage.ts'
import type { Confirmation, Draft } from '../core/token.ts'
import { map, withMember } from '../core/value.ts'
import { type ClientOptions, nameClient } from './client.ts'
import { wrongOption } from './options.ts'
import { danger } from './schema.ts'

// A certification request is sent for its key alone; a TLS certificate may be there for the connection only.
const METHODS = ['pkcs10', 'dpop', 'mtls'] as const

export interface SenderConstraintOptions {
  readonly mode?: 'keep' | 'bind'
  readonly method?: readonly string[]
  readonly rebind?: 'actor' | 'client'
  readonly require?: boolean
  readonly client?: ClientOptions
  readonly danger_drop_confirmation?: true
}

/**
 * Says who may present the output: the holder of which key (`cnf`, RFC 7800), and at another authorization server which
 * client (`client_id`).
 *
 * Keeps the constraint that came in, or binds to a key that was proved in this request: never to one that was only named.
 * A bound subject token stays bound to its own key; when another key is proved, that is a mistake or an attack and
 * refuses, unless `rebind` says that the token changes hands.
 *
 * @throws {@link DragomanError} `ERR_PROOF_REQUIRED`, `ERR_PROOF_MISMATCH`, `ERR_PROFILE_ACTOR_MISSING`, `ERR_PROFILE_CLIENT`
 */
export const senderConstraint: Stage<SenderConstraintOptions> = {
  name: 'sender_constraint',
  phase: 'meaning',
  summary: 'Says who may present the output: the holder of which key, and which client.',
  schema: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      mode: {
        enum: ['keep', 'bind'],
        default: 'keep',
        description:
          '`keep`: bound as the subject token is. `bind`: also, when it is not, to the key that the client proved.',
      },
      method: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        minItems: 1,
        uniqueItems: true,
        description:
          'The proofs whose key is taken, the preferred one first. Default: `pkcs10`, `dpop`, `mtls`, then those of your own. A DPoP proof that comes with a bearer token binds the output in any case (RFC 9449 section 5).',
      },
      rebind: {
        enum: ['actor', 'client'],
        description:
          'Binds to another key than that of the subject token: that of the `actor` token, or the one that the `client` proved. Both must be proved in this request.',
      },
      require: { type: 'boolean', default: false, description: 'Refuses to issue a token that is bound to no key.' },
      client: {
        type: 'object',
        additionalProperties: false,
        minProperties: 1,
        description:
          'Names the client in the output (`client_id`), by the id that it has at the authorization server that the output is for. Not for access tokens, which name it anyway.',
        properties: {
          map: {
            type: 'object',
            minProperties: 1,
            additionalProperties: { type: 'string', minLength: 1 },
            description: 'The id of a client here to its id there.',
          },
          default: {
            const: 'same',
            description: 'A client that has no row is called there as here. Default: it is refused.',
          },
        },
      },
      danger_drop_confirmation: danger(
        'Issues a bearer token from a bound one. The claim `former_cnf` then tells what it was bound to.',
      ),
    },
  },
  prepare({ client, ...options }, { proofMethods }) {
    const constrain = constraintBy(options, methodsIn(options, proofMethods))
    if (client === undefined) return { transform: constrain }
    const { names, transform } = nameClient(client)
    return {
      clients: names,
      transform: async (draft, exchange) => transform(await constrain(draft, exchange), exchange),
    }
  },
}

function constraintBy(
  { mode = 'keep', rebind, require = false, danger_drop_confirmation: drop }: Omit<SenderConstraintOptions, 'client'>,
  method: readonly string[],
): Transform {
  if (drop && (mode === 'bind' || rebind !== undefined || require)) {
    throw wrongOption('danger_drop_confirmation', 'nothing beside it that binds the token')
  }
  if (rebind !== undefined && mode === 'bind') throw wrongOption('mode', 'no `bind` beside `rebind`, which says more')
  if (drop) return dropConfirmation
  const bound = (draft: Draft, exchange: Exchange): Confirmation | undefined => {
    if (rebind === 'actor') return actorsKey(exchange)
    if (rebind === 'client') return provedKey(exchange, method)
    // Of a subject token that is bound to nothing, the draft is bound to a DPoP proof: a default, until something is said.
    const own = exchange.subject.confirmation === undefined ? undefined : draft.confirmation
    if (own !== undefined) return stillBound(own, exchange, method)
    const proof = mode === 'bind' ? firstProof(exchange, method) : undefined
    return proof ? confirmationBy(proof) : draft.confirmation
  }
  return (draft, exchange) => {
    const confirmation = bound(draft, exchange)
    if (confirmation === undefined && require) throw proofRequired(method)
    if (confirmation === draft.confirmation) return draft
    // Only `rebind` can get here with a constraint that names another key.
    const moved = rebind !== undefined && draft.confirmation !== undefined
    return {
      ...draft,
      confirmation,
      notes: moved ? [...draft.notes, { claim: 'cnf', became: 'mapped' }] : draft.notes,
    }
  }
}

/** @throws {@link DragomanError} `ERR_PROOF_MISMATCH`: an answer bound to this key is not what was asked for */
function stillBound(confirmation: Confirmation, exchange: Exchange, method: readonly string[]): Confirmation {
  const proof = firstProof(exchange, method)
  if (proof === undefined || names(confirmation, proof)) return known(confirmation, exchange)
  throw new DragomanError('ERR_PROOF_MISMATCH', {
    detail: { expected: 'a proof by the key that the subject token is bound to', actual: proof.method },
  })
}

function provedKey(exchange: Exchange, method: readonly string[]): Confirmation {
  const proof = firstProof(exchange, method)
  if (proof === undefined) throw proofRequired(method)
  return confirmationBy(proof)
}

function actorsKey(exchange: Exchange): Confirmation {
  const { actor, proofs } = exchange
  if (actor === undefined) {
    throw new DragomanError('ERR_PROFILE_ACTOR_MISSING', { detail: { expected: 'actor_token' } })
  }
  const { confirmation } = actor
  // A key that the actor token only names may be anybody's: the one who asks must have it.
  if (confirmation === undefined || !proofs.some((proof) => names(confirmation, proof))) {
    throw new DragomanError('ERR_PROOF_REQUIRED', { detail: { expected: 'a proof by the key of the actor token' } })
  }
  return known(confirmation, exchange)
}

function firstProof({ proofs }: Exchange, method: readonly string[]): Proof | undefined {
  for (const name of method) {
    const proof = proofs.find((candidate) => candidate.method === name)
    if (proof !== undefined) return proof
  }
  return undefined
}

/** The same constraint, with the key itself where a proof has shown it: a thumbprint does not fit every format. */
function known(confirmation: Confirmation, { proofs }: Exchange): Confirmation {
  if (confirmation.publicKey !== undefined) return confirmation
  const proof = proofs.find((candidate) => names(confirmation, candidate))
  return proof === undefined ? confirmation : { ...confirmation, publicKey: proof.publicKey }
}

const names = ({ publicKey, jkt, x5tS256 }: Confirmation, proof: Proof): boolean =>
  (publicKey?.jkt ?? jkt) === proof.publicKey.jkt || (x5tS256 !== undefined && x5tS256 === proof.x5tS256)

/** RFC 8705 §3.1: a certificate by its hash. RFC 9449 §6.1: a key by its thumbprint. */
const confirmationBy = ({ method, publicKey, x5tS256 }: Proof): Confirmation =>
  method === 'mtls' ? { publicKey, x5tS256 } : { publicKey, jkt: publicKey.jkt }

const proofRequired = (method: readonly string[]): DragomanError =>
  new DragomanError('ERR_PROOF_REQUIRED', { detail: { expected: `a proof: ${method.join(', ')}` } })

/** Who reads the output must be able to tell that it was bound before. */
function dropConfirmation(draft: Draft, { subject }: Exchange): Draft {
  const { confirmation } = draft
  if (confirmation === undefined) return draft
  // What only this request asked for, the token was never bound to.
  if (subject.confirmation === undefined) return { ...draft, confirmation: undefined }
  const jkt = confirmation.publicKey?.jkt ?? confirmation.jkt
  const former =
    confirmation.x5tS256 !== undefined
      ? map([['x5t#S256', confirmation.x5tS256]])
      : map(jkt !== undefined ? [['jkt', jkt]] : [['ckt', confirmation.ckt ?? '']])
  return { ...draft, confirmation: undefined, claims: withMember(draft.claims, 'former_cnf', former) }
}

/** Those that are named, or all that there are. */
function methodsIn({ method }: SenderConstraintOptions, known: readonly string[]): readonly string[] {
  if (method === undefined) return [...new Set([...METHODS, ...known])]
  for (const [index, name] of method.entries()) {
    if (!known.includes(name)) {
      throw wrongOption(`method[${index}]`, `the name of a proof that there is: ${known.join(', ')}`)
    }
  }
  return method
}
