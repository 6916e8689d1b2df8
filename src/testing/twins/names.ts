import type { ErrorCode } from '../../core/errors.ts'

/** What a negative twin changes in a request that was good, and the codes of which one fits its refusal. */
interface TwinRow {
  readonly says: string
  readonly codes: readonly ErrorCode[]
}

/** The negative twins. One without codes may be issued, but no further than it may reach. */
export const twinTable = {
  no_client: { says: 'nobody authenticates', codes: ['ERR_CLIENT_MISSING'] },
  other_client: { says: 'another client asks, which no profile names', codes: ['ERR_PROFILE_NONE'] },
  wrong_target: { says: 'a target is asked for that the profile does not allow', codes: ['ERR_PROFILE_TARGET'] },
  other_transaction: {
    says: 'a client asks for the scope of a transaction that is not its own',
    codes: ['ERR_PROFILE_TRANSACTION'],
  },
  unknown_detail: {
    says: '`request_details` has a member that the transaction does not have',
    codes: ['ERR_PROFILE_CONTEXT'],
  },
  missing_detail: { says: 'a member that the transaction needs is not told', codes: ['ERR_PROFILE_CONTEXT'] },
  wrong_detail: {
    says: 'a member is told that is of another type, or none of the values that it may have',
    codes: ['ERR_PROFILE_CONTEXT'],
  },
  altered_detail: {
    says: 'a transaction token is to be replaced by one with another value in `tctx`',
    codes: ['ERR_PROFILE_FROZEN'],
  },
  replaced_too_often: {
    says: 'the transaction token has been replaced as often as it may be',
    codes: ['ERR_PROFILE_TRANSACTION'],
  },
  no_actor: { says: 'the actor token is left out', codes: ['ERR_PROFILE_ACTOR_MISSING'] },
  unasked_actor: { says: 'an actor token comes with it', codes: ['ERR_PROFILE_ACTOR_REFUSED'] },
  expired: { says: 'the token has expired', codes: ['ERR_TOKEN_EXPIRED'] },
  not_yet_valid: { says: 'the token is not valid yet', codes: ['ERR_TOKEN_NOT_YET_VALID'] },
  too_old: { says: 'the token is older than `max_age`', codes: ['ERR_TOKEN_TOO_OLD'] },
  weak_authentication: {
    says: 'the user authenticated in another way than `authentication` asks for',
    codes: ['ERR_TOKEN_AUTHENTICATION'],
  },
  old_authentication: {
    says: 'the user authenticated longer ago than `authentication` allows',
    codes: ['ERR_TOKEN_AUTHENTICATION'],
  },
  too_long: { says: 'the token lives longer than `max_lifetime`', codes: ['ERR_TOKEN_LIFETIME'] },
  wrong_audience: { says: 'the token is for somebody else', codes: ['ERR_TOKEN_AUDIENCE'] },
  other_tenant: {
    says: 'the request is sent to another tenant with the same profile, clients and issuers',
    codes: ['ERR_TOKEN_AUDIENCE', 'ERR_TRUST_ISSUER', 'ERR_TRUST_PATH'],
  },
  unknown_issuer: {
    says: 'the token is of an issuer that nobody trusts',
    codes: ['ERR_TRUST_ISSUER', 'ERR_TRUST_PATH'],
  },
  wrong_issuer: {
    says: 'the token is of an issuer that the gateway trusts and the profile does not name',
    codes: ['ERR_TRUST_ISSUER', 'ERR_TRUST_PATH'],
  },
  bad_signature: {
    says: 'the signature is by another key than it says',
    codes: ['ERR_TOKEN_SIGNATURE', 'ERR_TRUST_PATH'],
  },
  other_algorithm: {
    says: 'the token is signed with an algorithm that the issuer may use and the profile does not take',
    codes: ['ERR_TOKEN_ALGORITHM'],
  },
  wrong_kind: { says: 'the token is of another kind', codes: ['ERR_TOKEN_KIND'] },
  no_usage: { says: 'the certificate does not say what it is for', codes: ['ERR_TOKEN_KIND'] },
  missing_claim: {
    says: 'a claim that the profile asks for is not there',
    codes: ['ERR_PROFILE_REQUIRED', 'ERR_TOKEN_SUBJECT'],
  },
  foreign_subject: {
    says: 'the issuer speaks of somebody outside its `subjects`',
    codes: ['ERR_TOKEN_SUBJECT_SPACE'],
  },
  other_presenter: {
    says: 'the token names another client which may present it (`for_client`)',
    codes: ['ERR_TOKEN_CLIENT'],
  },
  circle: { says: 'the token has come through this gateway before', codes: ['ERR_TOKEN_PATH'] },
  may_act_of_another: { says: '`may_act` names somebody else', codes: ['ERR_TOKEN_MAY_ACT'] },
  replayed: { says: 'a token that is taken once comes again', codes: ['ERR_TOKEN_REPLAYED'] },
  replayed_proof: { says: 'the same DPoP proof comes again', codes: ['ERR_PROOF_REPLAYED'] },
  no_proof: {
    says: 'no proof of possession comes with it',
    // The last where the client authenticates by certificate, which shows a key of its own.
    codes: ['ERR_TOKEN_UNPROVED', 'ERR_PROOF_REQUIRED', 'ERR_PROOF_MISMATCH'],
  },
  foreign_proof: { says: 'the proof is by another key than the one in `cnf`', codes: ['ERR_PROOF_MISMATCH'] },
  unbound: { says: 'the token has no `cnf`, and no proof comes with it', codes: ['ERR_PROOF_REQUIRED'] },
  outlived: { says: 'the token expires sooner than the output would: so must the output', codes: [] },
  widened_scope: {
    says: 'the token has, and the request asks for, scope that the profile does not allow: it must not be granted',
    codes: ['ERR_PROFILE_SCOPE'],
  },
  scope_not_held: {
    says: 'the request asks for scope that the token does not have: it must not be granted',
    codes: ['ERR_PROFILE_SCOPE'],
  },
} as const satisfies { readonly [name: string]: TwinRow }

export type TwinName = keyof typeof twinTable

/** In the order in which they are told. */
export const twinNames = Object.keys(twinTable) as readonly TwinName[]
