import { describe, expect, it } from 'vitest'
import { GOOD, headlines, loadTexts, profileEnvironment, refusalOf } from '../support/profiles.ts'

const environment = await profileEnvironment({ 'bad.json': 'x' })

/** What of the good profile is replaced, by what; the code; each problem that is told, behind the name of the file. */
type Row = readonly [from: string, to: string, code: string, problems: readonly string[]]

const rows: readonly Row[] = [
  [
    'lifetime: 300',
    'lifetme: 300',
    'ERR_PROFILE_SCHEMA',
    ['11:17: stages[1].validity.lifetme: unknown option; did you mean `lifetime`?'],
  ],
  [
    '  - validity: {',
    '  - validty: {',
    'ERR_PROFILE_SCHEMA',
    ['11:5: stages[1].validty: unknown option; did you mean `validity`?'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - validity: { lifetime: 5m }',
    'ERR_PROFILE_SCHEMA',
    ['11:27: stages[1].validity.lifetime: expected a whole number, found text'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - validity: { lifetime: 0 }',
    'ERR_PROFILE_SCHEMA',
    ['11:27: stages[1].validity.lifetime: expected a number of at least 1'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - validity: {}',
    'ERR_PROFILE_SCHEMA',
    ['11:15: stages[1].validity: expected at least one option'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - { validity: { lifetime: 300 }, context: { keep: [a] } }',
    'ERR_PROFILE_SCHEMA',
    ['11:5: stages[1]: expected one stage for each entry of the list'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - when: "true"',
    'ERR_PROFILE_SCHEMA',
    ['11:5: stages[1]: expected one stage for each entry of the list'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - 5',
    'ERR_PROFILE_SCHEMA',
    ['11:5: stages[1]: expected a map, found a number'],
  ],
  [
    '  - validity: { lifetime: 300 }',
    '  - validity',
    'ERR_PROFILE_SCHEMA',
    ['11:5: stages[1]: expected a map, found text'],
  ],
  ['name: one\n', '', 'ERR_PROFILE_SCHEMA', ['1:1: `name` is missing']],
  ['name: one', 'name: One', 'ERR_PROFILE_SCHEMA', ['1:7: name: expected a name of small letters, digits and hyphens']],
  ['name: one', 'name: 1', 'ERR_PROFILE_SCHEMA', ['1:7: name: expected text, found a number']],
  ['name: one', 'name: one\nname: two', 'ERR_PROFILE_SYNTAX', ['2:1: Map keys must be unique']],
  [
    '[demo]',
    '[dmeo]',
    'ERR_PROFILE_OPTION',
    ['3:13: accept.clients[0]: there is no client "dmeo"; did you mean `demo`?'],
  ],
  [
    '[demo]',
    '[somebody]',
    'ERR_PROFILE_OPTION',
    ['3:13: accept.clients[0]: there is no client "somebody"; there are: demo, orders'],
  ],
  ['[demo]', 'demo', 'ERR_PROFILE_SCHEMA', ['3:12: accept.clients: expected a list, found text']],
  ['[demo]', '[demo, demo]', 'ERR_PROFILE_SCHEMA', ['3:19: accept.clients[1]: stands in the list twice']],
  [
    '  clients: [demo]\n',
    '',
    'ERR_PROFILE_SCHEMA',
    ['2:1: accept: expected `clients`, or `subject_token_authenticates: true`'],
  ],
  [
    'format: jwt',
    'format: jtw',
    'ERR_PROFILE_OPTION',
    ['5:13: accept.subject.format: expected the name of a codec; did you mean `jwt`?'],
  ],
  [
    'format: jwt',
    'format: x509',
    'ERR_PROFILE_OPTION',
    ['6:15: accept.subject.issuers[0]: expected an issuer with certificates; this one has keys only'],
  ],
  [
    'format: jwt',
    'format: cwt\n    types: [urn:ietf:params:oauth:token-type:jwt]',
    'ERR_PROFILE_OPTION',
    [
      '6:12: accept.subject.types: expected some of urn:dragoman:token-type:cwt, urn:dragoman:token-type:cwt-sign1, urn:dragoman:token-type:cwt-sign',
    ],
  ],
  [
    'format: jwt',
    'format: jwt\n    algorithms: [ES265]',
    'ERR_PROFILE_SCHEMA',
    [
      '6:18: accept.subject.algorithms[0]: expected one of ES256, ES384, ES512, Ed25519, RS256, RS384, RS512, PS256, PS384, PS512, ML-DSA-44, ML-DSA-65, ML-DSA-87, EdDSA; did you mean `ES256`?',
    ],
  ],
  [
    'format: jwt',
    'format: jwt\n    subject_from: san_uri',
    'ERR_PROFILE_OPTION',
    ['6:19: accept.subject.subject_from: no such option: it is for certificates'],
  ],
  [
    'https://id.example',
    'https://id.exmaple',
    'ERR_PROFILE_OPTION',
    ['6:15: accept.subject.issuers[0]: there is no issuer "https://id.exmaple"; did you mean `https://id.example`?'],
  ],
  [
    'https://id.example',
    'https://elsewhere.test/',
    'ERR_PROFILE_OPTION',
    [
      '6:15: accept.subject.issuers[0]: there is no issuer "https://elsewhere.test/"; there are: self, https://gw.example, https://id.example, https://ca.example',
    ],
  ],
  [
    'https://id.example',
    'https://ca.example',
    'ERR_PROFILE_OPTION',
    ['6:15: accept.subject.issuers[0]: expected an issuer with keys; this one has certificates only'],
  ],
  [
    '  targets:\n    allow: [https://orders.example]\n',
    '',
    'ERR_PROFILE_SCHEMA',
    ['3:3: accept: `targets` is missing'],
  ],
  ['allow: [https://orders.example]', '', 'ERR_PROFILE_SCHEMA', ['7:3: accept.targets: expected a map, found nothing']],
  [
    '    allow: [https://orders.example]',
    '    {}',
    'ERR_PROFILE_SCHEMA',
    ['8:5: accept.targets: expected at least one option'],
  ],
  [
    'allow: [https://orders.example]',
    'allow: []',
    'ERR_PROFILE_SCHEMA',
    ['8:12: accept.targets.allow: expected at least 1 in the list'],
  ],
  [
    'format: jwt',
    'format: jwt\n    presented_by: audience\n    audience: any',
    'ERR_PROFILE_OPTION',
    ['6:19: accept.subject.presented_by: expected `audience` beside it, naming who presents the token; not `any`'],
  ],
  [
    'clients: [demo]\n  subject:\n    format: jwt',
    'subject_token_authenticates: true\n  subject:\n    format: jwt\n    presented_by: audience',
    'ERR_PROFILE_OPTION',
    [
      '6:19: accept.subject.presented_by: expected `holder`: a token that stands for its client is presented by its holder',
    ],
  ],
  [
    'allow: [https://orders.example]',
    'allow: [a, { request: a, audience: b }]',
    'ERR_PROFILE_OPTION',
    ['8:16: accept.targets.allow[1]: may be asked for by another entry already'],
  ],
  [
    'allow: [https://orders.example]',
    'allow: [{ request: a }]',
    'ERR_PROFILE_SCHEMA',
    ['8:13: accept.targets.allow[0]: `audience` is missing'],
  ],
  [
    'allow: [https://orders.example]',
    'allow: [5]',
    'ERR_PROFILE_SCHEMA',
    ['8:13: accept.targets.allow[0]: expected text or a map, found a number'],
  ],
  [
    'allow: [https://orders.example]',
    'resources: [https://api.example]',
    'ERR_PROFILE_OPTION',
    ['8:5: accept.targets.resources: expected `allow` or `default`: what `resources` name is behind a target'],
  ],
  [
    '  clients: [demo]',
    '  clients: [demo]\n  grant: jwt-baerer',
    'ERR_PROFILE_SCHEMA',
    ['4:10: accept.grant: expected one of token-exchange, jwt-bearer; did you mean `jwt-bearer`?'],
  ],
  [
    '  clients: [demo]\n  subject:\n    format: jwt',
    '  clients: [demo]\n  grant: jwt-bearer\n  subject:\n    format: cwt',
    'ERR_PROFILE_OPTION',
    ['6:13: accept.subject.format: expected a format that this grant can present'],
  ],
  [
    '  clients: [demo]\n  subject:\n    format: jwt\n    issuers: [https://id.example]',
    '  clients: [demo]\n  grant: jwt-bearer\n  subject:\n    format: jwt\n    issuers: [https://id.example, self]',
    'ERR_PROFILE_OPTION',
    ['7:35: accept.subject.issuers[1]: expected another issuer than this gateway, which makes such tokens for others'],
  ],
  [
    'allow: [https://orders.example]',
    'danger_any_target: false',
    'ERR_PROFILE_SCHEMA',
    ['8:24: accept.targets.danger_any_target: expected true, or no such option'],
  ],
  [
    'allow: [https://orders.example]',
    'danger_any_targets: true',
    'ERR_PROFILE_SCHEMA',
    ['8:5: accept.targets.danger_any_targets: unknown option; did you mean `danger_any_target`?'],
  ],
  [
    'lifetime: 300',
    'lifetime: 300, danger_live_forever: true',
    'ERR_PROFILE_SCHEMA',
    [
      '11:32: stages[1].validity.danger_live_forever: unknown option; known here: lifetime, danger_outlive_subject, not_before, danger_start_earlier, audience, max_audiences, scope',
    ],
  ],
  [
    'keep: [email]',
    'set: { danger_drop_act: true }',
    'ERR_PROFILE_OPTION',
    [
      '10:23: stages[0].context.set.danger_drop_act: there is no such option here; those that there are: danger_outlive_subject, danger_start_earlier, danger_any_target, danger_widen_scope, danger_drop_act, danger_drop_confirmation, danger_unsigned, danger_embed_bearer',
    ],
  ],
  [
    'keep: [email]',
    'keep: all',
    'ERR_PROFILE_SCHEMA',
    ['10:22: stages[0].context.keep: expected "*" or a list, found text'],
  ],
  [
    'keep: [email]',
    'set: { aud: x }',
    'ERR_PROFILE_OPTION',
    ['10:28: stages[0].context.set.aud: expected another claim than aud, which accept.targets decides'],
  ],
  [
    'keep: [email]',
    'set: { level: { cel: "1 +" } }',
    'ERR_PROFILE_OPTION',
    ['10:41: stages[0].context.set.level: expected an expression that can be read: Unexpected token: EOF; position: 3'],
  ],
  [
    'keep: [email]',
    'conditions: ["1 + 1"]',
    'ERR_PROFILE_OPTION',
    ['10:29: stages[0].context.conditions[0]: expected an expression that is true or false, not int'],
  ],
  [
    'keep: [email]',
    'copy: { a: sbject.email }',
    'ERR_PROFILE_OPTION',
    [
      '10:27: stages[0].context.copy.a: expected a path that begins with one of claims, subject, actor, client, request, proof, now',
    ],
  ],
  [
    'keep: [email]',
    'copy: { a: actor.sub }',
    'ERR_PROFILE_OPTION',
    ['10:5: stages[0].context: uses the actor token, and `accept.actor` does not take one'],
  ],
  [
    'keep: [email]',
    'conditions: ["has(actor.sub)"]',
    'ERR_PROFILE_OPTION',
    ['10:5: stages[0].context: uses the actor token, and `accept.actor` does not take one'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - context: { keep: [email] }\n    when: "1"',
    'ERR_PROFILE_OPTION',
    ['11:11: stages[0].when: expected an expression that is true or false, not int'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - context: { keep: [email] }\n    when: "subject.email =="',
    'ERR_PROFILE_OPTION',
    ['11:28: stages[0].when: expected an expression that can be read: Unexpected token: EOF; position: 16'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - context: { keep: [email] }\n    when: "has(actor.sub)"',
    'ERR_PROFILE_OPTION',
    ['11:5: stages[0].when: uses the actor token, and `accept.actor` does not take one'],
  ],
  [
    '  targets:',
    '  actor: { format: jwt, issuers: [https://id.example] }\n  targets:',
    'ERR_PROFILE_OPTION',
    [
      '7:3: accept.actor: an actor token is taken and no stage uses it; add `embedding: { act: { from: actor_token } }`',
    ],
  ],
  [
    '  - context: { keep: [email] }',
    '  - embedding: { act: { from: actor_token } }',
    'ERR_PROFILE_OPTION',
    ['10:5: stages[0].embedding: uses the actor token, and `accept.actor` does not take one'],
  ],
  [
    '  - validity: { lifetime: 300 }\n  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n  - validity: { lifetime: 300 }\n',
    'ERR_PROFILE_ORDER',
    ['12:5: stages[2].validity: expected before `format`: what the token says comes before how it is written'],
  ],
  [
    '  - format: { to: jwt }\n',
    '',
    'ERR_PROFILE_ORDER',
    ['9:1: stages: expected a `format` stage, which says what is issued'],
  ],
  [
    '  - format: { to: jwt }\n  - crypto: { key: signing }\n',
    '  - crypto: { key: signing }\n  - format: { to: jwt }\n',
    'ERR_PROFILE_ORDER',
    ['12:5: stages[2].crypto: expected after `format`, which decides what `crypto` can say'],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n  - format: { to: cwt }\n',
    'ERR_PROFILE_ORDER',
    ['13:5: stages[3].format: `format` may stand once'],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n    when: "true"\n',
    'ERR_PROFILE_ORDER',
    ['12:5: stages[2].format: takes no `when`: how the token is written is settled at load'],
  ],
  [
    'to: jwt',
    'to: saml',
    'ERR_PROFILE_OPTION',
    ['12:19: stages[2].format.to: there is no format "saml"; there are: jwt, x509, cwt'],
  ],
  [
    'to: jwt',
    'to: jwt, kind: "at+jtw?"',
    'ERR_PROFILE_RENDERING',
    [
      '12:30: stages[2].format.kind: expected jwt, at+jwt, jwt-svid, authorization-grant+jwt, oauth-id-jag+jwt, txntoken+jwt, or an explicit type such as example+jwt, without application/',
    ],
  ],
  [
    'to: jwt',
    'to: x509',
    'ERR_KEY_CONFIG',
    [
      '13:20: stages[3].crypto.key: expected a key with the certificate of an issuing authority: `certificates` or `self_signed`',
    ],
  ],
  [
    'to: jwt }\n  - crypto: { key: signing }',
    'to: x509 }\n  - crypto: { key: ca }',
    'ERR_PROFILE_OPTION',
    [
      '12:5: stages[2].format: this format is issued for a key; add `sender_constraint: { mode: bind, method: [pkcs10], require: true }`, or another proof',
    ],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n  - encoding: { tag: cwt }\n',
    'ERR_PROFILE_RENDERING',
    ['13:22: stages[3].encoding.tag: expected for format jwt one of: serialization, alg_names'],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n  - encoding: { tga: cwt }\n',
    'ERR_PROFILE_RENDERING',
    ['13:22: stages[3].encoding.tga: expected for format jwt one of: serialization, alg_names'],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt }\n  - encoding: { serialization: compct }\n',
    'ERR_PROFILE_SCHEMA',
    ['13:32: stages[3].encoding.serialization: expected one of compact, flattened, general; did you mean `compact`?'],
  ],
  [
    '  - format: { to: jwt }\n',
    '  - format: { to: jwt, kind: at+jwt }\n  - encoding: { serialization: general }\n',
    'ERR_PROFILE_RENDERING',
    ['13:32: stages[3].encoding.serialization: expected compact, for this kind of token'],
  ],
  [
    'key: signing',
    'key: singing',
    'ERR_PROFILE_OPTION',
    ['13:20: stages[3].crypto.key: there is no key "singing"; did you mean `signing`?'],
  ],
  [
    'key: signing',
    'key: signing, algorithm: ES384',
    'ERR_PROFILE_RENDERING',
    ['13:40: stages[3].crypto.algorithm: expected ES256, which is what the key signing is for'],
  ],
  [
    'key: signing',
    'key: signing, header: { kid: x }',
    'ERR_PROFILE_OPTION',
    ['13:44: stages[3].crypto.header.kid: expected another name: this one has a meaning'],
  ],
  [
    '  - crypto: { key: signing }\n',
    '',
    'ERR_PROFILE_OPTION',
    ['9:1: stages: expected `crypto: { key: … }`, with one of signing, pq, ca'],
  ],
  [
    'key: signing',
    'key: signing, algorithm: HS256',
    'ERR_PROFILE_SCHEMA',
    [
      '13:40: stages[3].crypto.algorithm: expected one of ES256, ES384, ES512, Ed25519, RS256, RS384, RS512, PS256, PS384, PS512, ML-DSA-44, ML-DSA-65, ML-DSA-87, EdDSA; did you mean `ES256`?',
    ],
  ],
  [
    'to: jwt',
    'to: x509, kind: clint',
    'ERR_PROFILE_RENDERING',
    ['12:31: stages[2].format.kind: expected one of: client, server, x509-svid'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - subject: { lookup: { file: none.json } }',
    'ERR_PROFILE_OPTION',
    ['10:32: stages[0].subject.lookup.file: none.json: expected a file that can be read, with JSON in it'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - subject: { lookup: { file: bad.json } }',
    'ERR_PROFILE_OPTION',
    ['10:32: stages[0].subject.lookup.file: bad.json: expected a file that can be read, with JSON in it'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - subject: { pairwise: { secret: pairwsie } }',
    'ERR_PROFILE_OPTION',
    ['10:36: stages[0].subject.pairwise.secret: expected the name of a secret: pairwise'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - subject: { fixed: a, claim: b }',
    'ERR_PROFILE_OPTION',
    ['10:33: stages[0].subject.claim: expected one way to make a subject; there is fixed already'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - subject: { spiffe: { trust_domain: Example.org, path: /a } }',
    'ERR_PROFILE_OPTION',
    ['10:40: stages[0].subject.spiffe.trust_domain: expected a trust domain name, lower case'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - sender_constraint: { danger_drop_confirmation: true, require: true }',
    'ERR_PROFILE_OPTION',
    ['10:52: stages[0].sender_constraint.danger_drop_confirmation: expected nothing beside it that binds the token'],
  ],
  [
    '  - context: { keep: [email] }',
    '  - embedding: { unwrap: { claim: x, accept: { format: jwt, issuers: [https://id.exmaple] } } }',
    'ERR_PROFILE_OPTION',
    [
      '10:71: stages[0].embedding.unwrap.accept.issuers[0]: there is no issuer "https://id.exmaple"; did you mean `https://id.example`?',
    ],
  ],
  [
    'stages:',
    'max_lifetime: 86401\nstages:',
    'ERR_PROFILE_SCHEMA',
    ['9:15: max_lifetime: expected a number of at most 86400'],
  ],
  ['stages:', 'must_keep: email\nstages:', 'ERR_PROFILE_SCHEMA', ['9:12: must_keep: expected a list, found text']],
  [
    'stages:',
    'audit: { subject: hahsed }\nstages:',
    'ERR_PROFILE_SCHEMA',
    ['9:19: audit.subject: expected one of plain, hashed, absent; did you mean `hashed`?'],
  ],
  [
    'stages:',
    'stage:',
    'ERR_PROFILE_SCHEMA',
    ['1:1: `stages` is missing', '9:1: stage: unknown option; did you mean `stages`?'],
  ],
]

describe('a profile that cannot work', () => {
  it('differs from one that does in one line', () => {
    expect(loadTexts(environment, GOOD).all).toHaveLength(1)
    for (const [from] of rows) expect(GOOD).toContain(from)
  })

  it.each(rows)('with %j as %j is refused: %s %j', (from, to, code, problems) => {
    const error = refusalOf(() =>
      loadTexts(
        environment,
        GOOD.replace(from, () => to),
      ),
    )
    expect(headlines(error)).toEqual(problems.map((problem) => `one.yaml:${problem}`))
    expect(error.code).toBe(code)
  })
})
