import { type ErrorCode, errors } from '../../core/errors.ts'
import { PART_OF_CNF } from '../../core/ledger.ts'
import type { Profile } from '../../core/profile.ts'
import { at, type Found, placeIn, type Rules, type Words } from '../found.ts'
import { allOf, oneOf, shown, texts, timeText } from '../words.ts'

/** Which translation, if any; and what its stages ask of a token. */
export const profileRules: Rules = {
  ERR_PROFILE_HEADER: ({ detail, profile }) => ({
    place: placeIn(profile, 'stages'),
    expected: shown(detail['expected'] ?? 'a token that fits into a header field'),
    ...(detail['actual'] !== undefined && { found: shown(detail['actual']) }),
    remedies: [
      'keep fewer claims, or sign with an algorithm whose signatures are shorter',
      'or raise `forward_auth[].max_token_bytes`, and the header buffers of the proxy with it',
    ],
  }),
  ERR_PROFILE_NONE: (found) => {
    const { clientId = '', near, services } = found
    const fitting = near.length > 0 ? near : services.profiles.all
    return {
      place: placeIn(fitting[0], 'accept.clients'),
      expected: 'a profile that names the client',
      found: `none of ${services.profiles.all.length} names ${shown(clientId)}`,
      remedies: [
        ...fitting
          .slice(0, MOST)
          .map(
            (profile) =>
              `add the client \`${shown(clientId)}\` to accept.clients of ${profile.name}${at({ ...found, profile }, 'accept.clients')}`,
          ),
        `or ask as a client that a profile names: ${oneOf([...new Set(fitting.flatMap(({ accepts }) => accepts.clients))])}`,
      ],
    }
  },
  ERR_PROFILE_REQUESTED_TYPE: ({ detail, near, request }) => {
    const available = texts(detail['available'])
    const sent = request?.requested_token_type
    return {
      place: placeIn(near[0], 'stages'),
      expected: `requested_token_type: ${oneOf(available)}`,
      ...(sent !== undefined && { found: shown(sent) }),
      remedies: [
        `ask for requested_token_type=${shown(available[0] ?? '')}`,
        'or leave requested_token_type out: then the target decides',
      ],
    }
  },
  ERR_PROFILE_TARGET: (found) => {
    const { near, request, detail, stage, token } = found
    const asked = request ? [...request.audience, ...request.resource] : []
    const words = asked.length > 0 ? { found: allOf(asked) } : {}
    if (stage !== undefined) {
      // `validity.audience.from: subject`
      const held = token?.validity.audience ?? []
      return {
        path: `${stage}.audience`,
        expected: shown(detail['expected']),
        ...words,
        remedies: [
          ...(held.length > 0 ? [`ask for one of those that the subject token is for: ${oneOf(held)}`] : []),
          `have the subject token issued for ${asked.length > 0 ? oneOf(asked) : 'the target'} as well`,
          `or set \`audience: { from: request }\`${at(found, `${stage}.audience`)}: then any target of accept.targets will do`,
        ],
      }
    }
    const allowed = [...new Set(near.flatMap(({ accepts }) => [...accepts.targets.allowed.keys()]))]
    const missing = asked.filter((target) => !allowed.includes(target))
    const [first] = near
    return {
      place: placeIn(first, 'accept.targets.allow'),
      expected: `${near.length > 1 ? 'a target of one profile' : 'a target'}: ${oneOf(allowed)}`,
      ...words,
      remedies: [
        ...(asked.length > 0 && missing.length === 0 && near.length > 1
          ? ['ask for targets of one profile at a time: no profile serves all of these together']
          : [`ask for one of ${allowed.slice(0, SHOWN).map(shown).join(', ') || 'nothing: no target is allowed'}`]),
        ...nearestTo(asked, near)
          .slice(0, MOST)
          .map(
            ([profile, lacking]) =>
              `or add ${lacking.length === 0 ? 'the target' : allOf(lacking)} to accept.targets.allow of ${profile.name}${at({ ...found, profile }, 'accept.targets.allow')}`,
          ),
      ],
    }
  },
  ERR_PROFILE_TARGET_MISSING: (found) => {
    const { near } = found
    const allowed = [...new Set(near.flatMap(({ accepts }) => [...accepts.targets.allowed.keys()]))]
    return {
      place: placeIn(near[0], 'accept.targets'),
      expected: `audience or resource: ${oneOf(allowed)}`,
      found: 'no target',
      remedies: [
        `ask for audience=${shown(allowed[0] ?? '')}${allowed.length > 1 ? ', or another of them' : ''}`,
        ...near
          .slice(0, 1)
          .map(
            (profile) =>
              `or set accept.targets.default of ${profile.name}${at({ ...found, profile }, 'accept.targets')}`,
          ),
      ],
    }
  },
  ERR_PROFILE_TARGET_COUNT: (found) => {
    const { detail, stage, request } = found
    const asked = request ? [...request.audience, ...request.resource] : []
    const path = stage ?? 'stages'
    return {
      path: stage?.endsWith('.validity') ? `${stage}.max_audiences` : path,
      expected: shown(detail['expected'] ?? 'one target'),
      found: `${shown(detail['actual'] ?? asked.length)} targets`,
      remedies: [
        asked.length > 0 ? `ask once for each of ${allOf(asked)}` : 'ask once for each target',
        ...(stage?.endsWith('.validity') ? [`or raise max_audiences${at(found, `${stage}.max_audiences`)}`] : []),
      ],
    }
  },
  ERR_PROFILE_AMBIGUOUS: ({ detail, near }) => {
    const names = texts(detail['profiles'])
    return {
      place: placeIn(near[0], 'accept'),
      expected: 'one profile that serves the request',
      found: allOf(names),
      remedies: [
        ...distinct(near),
        `or take what they have in common out of one of ${allOf(names)}: a client, a token type or a target`,
      ],
    }
  },
  ERR_PROFILE_SCOPE: (found) => {
    if (found.step === 'transaction') return transactionScope(found)
    const { detail, stage, request, token } = found
    const grantable = texts(detail['expected'])
    const path = `${stage ?? 'stages'}.scope`
    const held = token?.validity.scope
    const asked = request?.scope ?? []
    const missing = asked.filter((scope) => !grantable.includes(scope))
    return {
      path,
      expected:
        grantable.length > 0 ? `scope: some of ${allOf(grantable)}` : 'scope that can be granted: there is none',
      ...(asked.length > 0 && { found: asked.map(shown).join(' ') }),
      remedies: [
        ...(grantable.length > 0 ? [`ask for scope=${grantable.slice(0, SHOWN).join(' ')}, or leave scope out`] : []),
        ...(held !== undefined && missing.some((scope) => !held.includes(scope))
          ? [
              `have the subject token issued with the scope ${allOf(missing.filter((scope) => !held.includes(scope)))}: it has ${allOf(held)}`,
            ]
          : []),
        `or add ${missing.length > 0 ? allOf(missing) : 'it'} to scope.allow${at(found, path)}`,
      ],
    }
  },
  ERR_PROFILE_REQUIRED: required,
  ERR_PROFILE_CONDITION: (found) => {
    const { detail, stage } = found
    // A stage of somebody's own has a rule of its own, and says what it expects.
    if (detail['path'] === undefined) {
      return {
        path: stage,
        expected: shown(detail['expected'] ?? 'what the stage asks for'),
        found: `what the rule ${shown(detail['rule'] ?? 'of this stage')} refuses`,
        remedies: [
          `present a token, or send a request, that the stage${at(found, stage ?? 'stages')} takes`,
          'or change its options there',
        ],
      }
    }
    const path = `${stage ?? 'stages'}.${String(detail['path'])}`
    const description = detail['description']
    return {
      path,
      expected: `the condition to be true${typeof description === 'string' ? `: ${shown(description)}` : ''}`,
      found: 'false',
      remedies: [
        `present a token, or send a request, for which the condition${at(found, path)} holds`,
        'or change the condition there',
      ],
    }
  },
  ERR_PROFILE_EXPRESSION: (found) => {
    const { detail, stage } = found
    // Of a `when`, the path is that of the whole step.
    const own = String(detail['path'] ?? '')
    const path = own.startsWith('stages[') ? own.replace(/\.[a-z_]+$/, '.when') : `${stage ?? 'stages'}.${own}`
    return {
      path,
      expected: shown(detail['expected'] ?? 'an expression that can be evaluated on this request'),
      ...(typeof detail['reason'] === 'string' && { found: shown(detail['reason']) }),
      remedies: [
        `guard it with has(…)${at(found, path)}: a claim that it reads is absent, or of another type`,
        'or name the claim in context.require, in a stage before: then its absence is said by name',
      ],
    }
  },
  ERR_PROFILE_LOOKUP: (found) => {
    const { detail, stage } = found
    const path = `${stage ?? 'stages'}.lookup`
    return {
      path: `${path}.file`,
      expected: `a row for this subject, under ${shown(detail['issuer'])}, by its claim ${shown(detail['claim'])}`,
      found: 'no such row',
      remedies: [
        `add the subject under ${shown(detail['issuer'])} to the table that is named${at(found, `${path}.file`)}, and reload`,
        `or set lookup.default${at(found, path)}`,
      ],
    }
  },
  ERR_PROFILE_SUBJECT: (found) => {
    const { detail, stage } = found
    const path = stage ?? 'stages'
    const placeholder = detail['placeholder']
    return {
      path,
      expected: shown(detail['expected'] ?? 'a subject as text'),
      ...(placeholder !== undefined && { found: `no such value in {${shown(placeholder)}}` }),
      remedies: [
        placeholder === undefined
          ? `make the subject so${at(found, path)}, with a \`subject\` stage: template, cel or lookup`
          : `have the issuer put ${shown(placeholder)} into the token, or take {${shown(placeholder)}} out of the template${at(found, path)}`,
      ],
    }
  },
  ERR_PROFILE_LOSS: loss,
  ERR_PROFILE_WIDER: (found) => {
    const { detail } = found
    const rule = String(detail['rule'] ?? '')
    const expected = shown(detail['expected'])
    const stage = WIDER_STAGE.get(rule)
    const index = found.profile?.steps.findIndex((step) => step.stage === stage) ?? -1
    const own = index < 0 ? 'stages' : (found.profile?.steps[index]?.path ?? 'stages')
    // What the format could not carry is the format's affair.
    const path = expected.startsWith('a format') ? formatPath(found.profile) : own
    return {
      path,
      expected,
      found: `an output that breaks the rule ${rule}`,
      remedies: [
        `change the stages${at(found, path)} so that the output has ${expected}`,
        ...(rule.startsWith('danger_')
          ? [`or give the promise up, and say so: \`${rule}: true\`${stage === undefined ? '' : ` in ${stage}`}`]
          : []),
      ],
    }
  },
  ERR_PROFILE_ACTOR_REFUSED: (found) => {
    const { stage, near } = found
    if (stage !== undefined) {
      return {
        path: stage,
        expected: shown(found.detail['expected'] ?? 'no actor token'),
        found: 'an actor token',
        remedies: [
          'leave actor_token and actor_token_type out',
          `or set \`from: actor_token\`${at(found, stage)}, so that its party is the one that acts`,
        ],
      }
    }
    return {
      place: placeIn(near[0], 'accept'),
      expected: 'no actor_token: the profile takes none',
      found: 'an actor token',
      remedies: [
        'leave actor_token and actor_token_type out',
        ...near
          .slice(0, 1)
          .map(
            (profile) =>
              `or add accept.actor to ${profile.name}${at({ ...found, profile }, 'accept')}, and \`embedding: { act: { from: actor_token } }\` to its stages`,
          ),
      ],
    }
  },
  ERR_PROFILE_ACTOR_MISSING: (found) => ({
    place: placeIn(found.near[0], found.stage ?? 'accept.actor'),
    expected: 'an actor token: who acts is to be in the output',
    found: 'none',
    remedies: [
      `send actor_token, and actor_token_type=${shown(found.near[0]?.accepts.actor?.types[0] ?? 'its type')}`,
      ...(found.near.length > 0 && found.stage === undefined
        ? [
            `or use a profile without accept.actor; this one has it${at({ ...found, profile: found.near[0] }, 'accept.actor')}`,
          ]
        : []),
    ],
  }),
  ERR_PROFILE_EMBEDDED: embedded,
}

/** Profiles that serve some of these targets, or else all of them, each with those that it does not serve. */
function nearestTo(
  asked: readonly string[],
  near: readonly Profile[],
): readonly (readonly [Profile, readonly string[]])[] {
  const each = near.map(
    (profile) => [profile, asked.filter((target) => !profile.accepts.targets.allowed.has(target))] as const,
  )
  const some = each.filter(([, lacking]) => lacking.length < asked.length)
  return some.length > 0 ? some : each
}

// Profiles that a remedy is spelled out for: more would not be read.
const MOST = 3
const SHOWN = 8

const WIDER_STAGE: ReadonlyMap<string, string> = new Map([
  ['danger_outlive_subject', 'validity'],
  ['danger_start_earlier', 'validity'],
  ['danger_widen_scope', 'validity'],
  ['max_lifetime', 'validity'],
  ['targets', 'validity'],
  ['danger_drop_act', 'embedding'],
  ['danger_drop_confirmation', 'sender_constraint'],
  ['proof', 'sender_constraint'],
  ['reserved', 'context'],
])

/** What would choose one of several: a target or a type that the others do not have. */
function distinct(profiles: readonly Profile[]): readonly string[] {
  return profiles.slice(0, MOST).flatMap((profile) => {
    const others = profiles.filter((other) => other !== profile)
    const type = profile.writer.tokenType
    if (others.every(({ writer }) => writer.tokenType !== type)) {
      return [`ask for requested_token_type=${shown(type)}, which only ${profile.name} issues`]
    }
    const own = [...profile.accepts.targets.allowed.keys()].find((target) =>
      others.every(({ accepts }) => !accepts.targets.allowed.has(target)),
    )
    return own === undefined ? [] : [`ask for audience=${shown(own)}, which only ${profile.name} serves`]
  })
}

/** A token that is inside the subject token, or the subject token that is to go inside the output. */
function embedded(found: Found): Words {
  const { detail, stage } = found
  const { claim, code } = detail
  const expected = oneOf(texts(detail['expected'])).replace(/\b\d{9,}\b/, (seconds) => timeText(seconds))
  if (claim === undefined) {
    const path = `${stage ?? 'stages'}.token`
    return {
      path,
      expected,
      found: 'another one',
      remedies: [
        ...(expected.includes('bound')
          ? ['have the subject token bound to a key (`cnf`), or issued for the audience of the output only']
          : []),
        `or carry a digest of it, \`what: digest\`${at(found, path)}`,
        ...(expected.includes('bound')
          ? ['or say that whoever reads the output may use it: `danger_embed_bearer: true` there']
          : []),
      ],
    }
  }
  const path = `${stage ?? 'stages'}.unwrap`
  const own = typeof code === 'string' && code in errors && code !== 'ERR_PROFILE_EMBEDDED'
  const inside = `in the claim ${shown(claim)}`
  return {
    path,
    expected: own
      ? `${inside}, a token that passes: ${texts(detail['expected']).length > 0 ? expected : 'the rules of accept there'}`
      : `a token ${inside}`,
    found: own ? `${inside}, a token refused with ${shown(code)}` : 'none',
    remedies: [
      `have the issuer put a token that passes into the claim ${shown(claim)}`,
      ...(own ? [lowered(errors[code as ErrorCode].cure)] : []),
      `or change what is taken there${at(found, `${path}.accept`)}`,
    ],
  }
}

/** A sentence as one among others. */
const lowered = (sentence: string): string =>
  `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, '')}`

function required(found: Found): Words {
  const { detail, stage, role, profile, token } = found
  const claim = shown(detail['claim'] ?? 'the claim')
  const names = token === undefined ? undefined : Object.keys(token.claims)
  const path =
    stage === undefined
      ? detail['rule'] === 'max_age'
        ? `accept.${role}.max_age`
        : `accept.${role}.require`
      : `${stage}.${CONTEXT[String(detail['rule'] ?? 'require')] ?? 'require'}`
  const kind = detail['expected']
  const type = typeof kind === 'string' && kind !== 'the claim' ? ` as ${shown(kind)}` : ''
  const there = names?.includes(String(detail['claim'])) === true
  return {
    path,
    expected: `the claim ${claim}${type}${typeof detail['rule'] === 'string' && detail['rule'] !== 'max_age' ? ` (${shown(detail['rule'])})` : ''}`,
    found: there ? `${claim} as something else` : names === undefined ? undefined : `the claims ${allOf(names)}`,
    remedies: [
      `have ${shown(token?.provenance.issuer ?? `the issuer of the ${role} token`)} put ${claim}${type} into its tokens`,
      ...(profile === undefined ? [] : [`or take ${claim} out of what is required${at(found, path)}`]),
    ],
  }
}

const CONTEXT: { readonly [rule: string]: string | undefined } = { require: 'require', types: 'types' }

function loss(found: Found): Words {
  const { detail, profile } = found
  const lost = Array.isArray(detail['lost'])
    ? detail['lost'].filter((entry) => typeof entry === 'object' && entry !== null)
    : []
  const names = lost.flatMap((entry: { claim?: unknown }) => texts(entry.claim))
  const parts = names.filter((name) => name.startsWith(PART_OF_CNF))
  const whole = names.filter((name) => !parts.includes(name))
  const listed = new Set(names.map((name) => (profile?.mustKeep.includes(name) === false ? 'cnf' : name)))
  const context = profile?.steps.find(({ stage }) => stage === 'context')
  const told = lost.map((entry: { claim?: unknown; became?: unknown; reason?: unknown }) => {
    const why = typeof entry.reason === 'string' ? ` (${shown(entry.reason)})` : ''
    return `${shown(entry.claim)} ${shown(entry.became)}${why}`
  })
  const dropped = lost.some((entry: { became?: unknown }) => entry.became === 'dropped')
  const keepThem = (claims: readonly string[]): string => {
    if (!dropped) return `choose a format that can carry ${allOf(claims)}${at(found, formatPath(profile))}`
    return context === undefined
      ? `add a stage \`context: { keep: [${claims.join(', ')}] }\`${at(found, 'stages')}`
      : `add ${allOf(claims)} to context.keep${at(found, `${context.path}.keep`)}`
  }
  return {
    path: 'must_keep',
    expected: `${allOf(names)} in the output`,
    found: told.join(', '),
    remedies: [
      ...(parts.length > 0 ? [`have the issuer leave ${allOf(parts)} out`] : []),
      ...(whole.length > 0 ? [keepThem(whole)] : []),
      `or take ${allOf([...listed])} out of must_keep${at(found, 'must_keep')}`,
    ],
  }
}

const formatPath = (profile: Profile | undefined): string =>
  profile?.steps.find(({ stage }) => stage === 'format')?.path ?? 'stages'

/** Of a transaction all of the scope is in one row of the table, and of a replacement in the token that it replaces. */
function transactionScope(found: Found): Words {
  const { detail, request } = found
  const expected: readonly unknown[] = Array.isArray(detail['expected']) ? detail['expected'] : []
  const rows = expected.filter(Array.isArray).map(texts)
  const asked = request?.scope ?? []
  const saw = asked.length > 0 ? { found: asked.map(shown).join(' ') } : {}
  const held = texts(detail['expected'])
  if (held.length > 0) {
    return {
      expected: `scope: some of ${allOf(held)}, which the token has that is to be replaced`,
      ...saw,
      remedies: [
        `ask for scope=${held.slice(0, SHOWN).join(' ')}, or less of it`,
        'or start another transaction, with a token that is no transaction token',
      ],
    }
  }
  const [first] = rows
  return {
    path: 'transactions',
    expected:
      first === undefined
        ? 'a transaction for this client and this type of token: there is none'
        : `scope of one transaction: ${rows.map((row) => row.join(' ')).join(', or ')}`,
    ...saw,
    remedies: [
      ...(first === undefined ? [] : [`ask for scope=${first.slice(0, SHOWN).join(' ')}, or some of it`]),
      `${first === undefined ? '' : 'or '}add ${asked.length > 0 ? allOf(asked) : 'it'} to scope of the transaction that is meant${at(found, 'transactions')}`,
    ],
  }
}
