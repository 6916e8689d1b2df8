import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { isTrustDomain } from '../core/spiffe.ts'
import type { Setting, Stage } from '../core/stage.ts'
import type { Draft } from '../core/token.ts'
import type { Value } from '../core/value.ts'
import { withMember } from '../core/value.ts'
import { variablesOf } from '../core/variables.ts'
import { ACTORS, type ActorSource, delegate } from './act.ts'
import { type LookupOptions, lookupIn } from './lookup.ts'
import { evaluateAt, expressionAt, wrongOption } from './options.ts'
import { type PairwiseOptions, pairwiseIn, SECTORS } from './pairwise.ts'
import { claimName } from './schema.ts'
import { faultOf } from './sub.ts'
import { templateOf } from './template.ts'

export interface SubjectOptions {
  readonly fixed?: string
  readonly template?: string
  readonly spiffe?: { readonly trust_domain: string; readonly path: string }
  readonly claim?: string
  readonly cel?: string
  readonly lookup?: LookupOptions
  readonly pairwise?: PairwiseOptions
  readonly actor?: ActorSource
}

/** A new subject, before it is checked. */
type Maker = (draft: Draft, exchange: Exchange) => Value | undefined

/**
 * Says who the output is about: one new subject, made in one of seven ways, or the same subject with an actor added.
 *
 * Checks what it made: not empty, at most 2048 bytes, visible characters, and a SPIFFE ID where it begins like one.
 * Inside, a subject is a pair of issuer and subject; `template`, `claim` and `cel` see the issuer as `subject.iss`.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SUBJECT`, `ERR_PROFILE_LOOKUP`, `ERR_PROFILE_TARGET_COUNT`, `ERR_TOKEN_ACT`
 */
export const subject: Stage<SubjectOptions> = {
  name: 'subject',
  phase: 'meaning',
  summary: 'Says who the output is about: maps, makes up or hides the subject, or adds who acts for it.',
  schema: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      fixed: { type: 'string', minLength: 1, description: 'One subject for all.' },
      template: {
        type: 'string',
        minLength: 1,
        description:
          'Text with placeholders, such as `spiffe://{trust_domain}/ns/{subject.namespace}/sa/{subject.name}`. Values are percent-encoded; in a SPIFFE ID they must be path segments as they are.',
      },
      spiffe: {
        type: 'object',
        additionalProperties: false,
        required: ['trust_domain', 'path'],
        description: 'A SPIFFE ID in a trust domain of our own.',
        properties: {
          trust_domain: { type: 'string', minLength: 1, description: 'The trust domain name, lower case.' },
          path: {
            type: 'string',
            pattern: '^/',
            description: 'The path, with placeholders as in `template`, such as `/ns/{subject.namespace}`.',
          },
        },
      },
      claim: { ...claimName, description: 'The claim of the subject token that becomes the subject, such as `email`.' },
      cel: { type: 'string', minLength: 1, description: 'An expression (CEL) whose value, a text, is the subject.' },
      lookup: {
        type: 'object',
        additionalProperties: false,
        required: ['file'],
        description: 'A table from subjects there to subjects here.',
        properties: {
          file: {
            type: 'string',
            minLength: 1,
            description:
              'JSON beside the profile: `{ "https://issuer.example": { "subject there": "subject here" } }`.',
          },
          claim: { ...claimName, default: 'sub', description: 'The claim that is looked up.' },
          default: {
            type: 'string',
            minLength: 1,
            description: 'The subject of all that have no row. Default: they are refused.',
          },
        },
      },
      pairwise: {
        type: 'object',
        additionalProperties: false,
        required: ['secret'],
        description:
          'A subject that is the same each time for one sector and cannot be linked with that of another: HMAC-SHA-256 over issuer, subject and sector.',
        properties: {
          secret: { type: 'string', minLength: 1, description: 'Name of a secret of at least 32 bytes.' },
          per: {
            enum: SECTORS,
            default: 'audience',
            description: 'What the sector is: the audience of the output, the client, or the name in `sector`.',
          },
          sector: { type: 'string', minLength: 1, description: 'The name that several audiences share.' },
          prefix: { type: 'string', default: '', description: 'Text in front of it, such as `pw_`.' },
        },
      },
      actor: {
        enum: ACTORS,
        description:
          'Adds an actor (`act`) to the draft: the party of the actor token, or the client that asks. Earlier actors stay inside it.',
      },
    },
  },
  prepare({ actor, ...options }, setting) {
    const make = makerIn(options, setting)
    if (make === undefined && actor === undefined) throw wrongOption('', 'one way to make a subject, or `actor`')
    return {
      transform(draft, exchange) {
        const named = make === undefined ? draft : withSubject(draft, make(draft, exchange), options)
        return actor === undefined ? named : delegate(named, exchange, actor)
      },
    }
  },
}

function makerIn(options: Omit<SubjectOptions, 'actor'>, setting: Setting): Maker | undefined {
  const [way, another] = Object.keys(options)
  if (another !== undefined) throw wrongOption(another, `one way to make a subject; there is ${way} already`)
  const { fixed, template, spiffe, claim, cel, lookup, pairwise } = options
  if (fixed !== undefined) return fixedMaker(fixed, 'fixed')
  if (template !== undefined) return templateMaker(template, 'template')
  if (spiffe !== undefined) return spiffeMaker(spiffe)
  if (claim !== undefined) return (_, exchange) => exchange.subject.claims[claim]
  if (cel !== undefined) {
    const expression = expressionAt(cel, 'cel', setting)
    if (expression.type !== undefined && expression.type !== 'string' && expression.type !== 'dyn') {
      throw wrongOption('cel', `an expression whose value is text, not ${expression.type}`)
    }
    return (draft, exchange) => evaluateAt(expression, 'cel', draft, exchange)
  }
  if (lookup !== undefined) {
    const find = lookupIn(lookup, setting)
    return (_, exchange) => find(exchange)
  }
  return pairwise === undefined ? undefined : pairwiseIn(pairwise, setting)
}

function fixedMaker(fixed: string, path: string): Maker {
  const fault = faultOf(fixed)
  if (fault !== undefined) throw wrongOption(path, fault)
  return () => fixed
}

function templateMaker(text: string, path: string): Maker {
  const template = templateOf(text, path)
  return (draft, exchange) => template(variablesOf(draft, exchange))
}

function spiffeMaker({ trust_domain, path }: { readonly trust_domain: string; readonly path: string }): Maker {
  if (!isTrustDomain(trust_domain)) throw wrongOption('spiffe.trust_domain', 'a trust domain name, lower case')
  const id = `spiffe://${trust_domain}${path}`
  return path.includes('{') ? templateMaker(id, 'spiffe.path') : fixedMaker(id, 'spiffe.path')
}

function withSubject(draft: Draft, sub: Value | undefined, { claim, pairwise }: SubjectOptions): Draft {
  if (typeof sub !== 'string') {
    throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { expected: claim ? `${claim} as text` : 'text' } })
  }
  const fault = faultOf(sub)
  if (fault !== undefined) throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { expected: fault } })
  return {
    ...draft,
    claims: withMember(draft.claims, 'sub', sub),
    notes: [...draft.notes, { claim: 'sub', became: pairwise ? 'hashed' : 'mapped' }],
  }
}
