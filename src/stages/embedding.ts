import { acceptanceSchema } from '../core/acceptance.ts'
import { PATH_CLAIM } from '../core/path.ts'
import type { Stage, Transform } from '../core/stage.ts'
import { without } from '../core/value.ts'
import { ACTORS, type ActorSource, delegate } from './act.ts'
import { CONTENTS, type EmbedOptions, embedSubject, PLACES } from './embed.ts'
import { addHop, type PathOptions, pathSchema } from './hops.ts'
import { wrongOption } from './options.ts'
import { claimName, claimNames, danger } from './schema.ts'
import { MAX_DEEPER, type UnwrapOptions, USES, unwrapToken } from './unwrap.ts'

const prefixOf = (what: string) => ({
  type: 'string',
  minLength: 1,
  description: `${what} in front of their names. Default: the claim and \`_\`.`,
})

export interface EmbeddingOptions {
  readonly unwrap?: UnwrapOptions
  readonly act?: { readonly from: ActorSource | 'keep' }
  readonly path?: PathOptions
  readonly token?: EmbedOptions
  readonly danger_drop_act?: true
}

/**
 * One token inside another: the party that acts, the way that it came, the subject token itself or its digest, or a token
 * that came inside.
 *
 * The order inside one stage is fixed: unwrap, danger_drop_act, act, path, token. Without this stage a draft has the `act` of
 * the subject token as it is. Does NOT ask whether an issuer is trusted for history, nor compare `may_act`: both are
 * done before any stage runs.
 */
export const embedding: Stage<EmbeddingOptions> = {
  name: 'embedding',
  phase: 'meaning',
  summary: 'Puts the acting party, or the subject token, inside the output, or takes a token out of the input.',
  schema: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      unwrap: {
        type: 'object',
        additionalProperties: false,
        required: ['claim', 'accept'],
        description: 'Takes a token out of a claim of the subject token, verifies it, and uses what it says.',
        properties: {
          claim: { ...claimName, description: 'The claim that holds the token: text, or bytes in a CWT.' },
          accept: { ...acceptanceSchema, description: 'The rules it must pass, as for any token.' },
          use: {
            enum: USES,
            default: 'subject',
            description: 'What for: as `subject` of the output, or for some of its `claims`.',
          },
          claims: claimNames('Claims of the embedded token to take over, beside `sub`, `acr`, `amr`, `auth_time`.'),
          prefix: prefixOf('With `use: claims`: text'),
          deeper: {
            type: 'array',
            minItems: 1,
            maxItems: MAX_DEEPER,
            description:
              'Tokens further inside, each in a claim of the one before: all must pass, and lend their claims.',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['claim', 'accept'],
              properties: {
                claim: { ...claimName, description: 'The claim of the token around it that holds it.' },
                accept: { ...acceptanceSchema, description: 'The rules it must pass.' },
                claims: claimNames('Claims of it to take over.'),
                prefix: prefixOf('Text'),
              },
            },
          },
        },
      },
      danger_drop_act: danger('Leaves out the history of the subject token: `act` and `trust_path`.'),
      act: {
        type: 'object',
        additionalProperties: false,
        required: ['from'],
        description: 'Who acts for the subject (`act`, RFC 8693 section 4.1).',
        properties: {
          from: {
            enum: [...ACTORS, 'keep'],
            description:
              'The party of the actor token, or the client that asks, in front of earlier actors; or `keep`: earlier actors only.',
          },
        },
      },
      path: pathSchema,
      token: {
        type: 'object',
        additionalProperties: false,
        required: ['what'],
        description: 'Carries the subject token inside the output.',
        properties: {
          what: {
            enum: CONTENTS,
            description: 'The SHA-256 of what was signed in it, in hex, or the `token` as it came.',
          },
          place: { enum: PLACES, default: 'claim', description: 'Among the claims, or in the protected header.' },
          name: { ...claimName, description: 'Its name there. Default: `src_digest` or `src_token`.' },
          danger_embed_bearer: danger(
            'Carries a token that is bound to no key and was meant for others too: whoever reads the output can use it.',
          ),
        },
      },
    },
  },
  prepare({ unwrap, danger_drop_act, act, path, token }, setting) {
    if (danger_drop_act && act?.from === 'keep') throw wrongOption('act.from', 'no `keep` beside danger_drop_act')
    const transforms: Transform[] = []
    if (unwrap) transforms.push(unwrapToken(unwrap, setting))
    if (danger_drop_act) transforms.push((draft) => ({ ...draft, claims: without(draft.claims, HISTORY) }))
    const from = act?.from
    if (from !== undefined && from !== 'keep') transforms.push((draft, exchange) => delegate(draft, exchange, from))
    if (path) transforms.push(addHop(path, setting))
    if (token) transforms.push(embedSubject(token))
    return {
      async transform(draft, exchange) {
        let current = draft
        for (const transform of transforms) current = await transform(current, exchange)
        return current
      },
    }
  },
}

const HISTORY = ['act', PATH_CLAIM]
