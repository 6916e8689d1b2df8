import { cryptoKey, fits } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import { type Certificate, isSelfIssued } from '../../wire/certificate.ts'
import { purposes } from '../../wire/extensions.ts'
import { verifyX509Signature } from '../../wire/signature.ts'
import { type Budget, newBudget } from './budget.ts'
import { checkLeaf, type LeafRules } from './leaf.ts'
import { isWithin, namesOf } from './name-constraints.ts'
import { identifies, issuerProblem, isTimely, nonconformity, type Problem, unknownCritical } from './rules.ts'

// Leaf and anchor included. Real paths have three or four.
const MAX_PATH = 8

export interface PathRequest extends LeafRules {
  readonly leaf: Certificate
  /** Presented with the leaf, in any order; only chooses among what the anchors vouch for. */
  readonly presented: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  /** Configured beside the anchors, no more trusted than those presented. */
  readonly intermediates: readonly Certificate[]
  /**
   * `enforced`: an anchor is held to its own certificate, as an intermediate is: dates, constraints, critical
   * extensions. `bare`: it is a name and a key (RFC 5280 §6.1.1 d).
   */
  readonly anchorRules: 'enforced' | 'bare'
  /** Signatures of authorities over authorities that have been verified before. */
  readonly links: Links
}

/** Remembers verified signatures. Times and constraints are checked again, always. */
export interface Links {
  has(subject: Certificate, issuer: Certificate): boolean
  add(subject: Certificate, issuer: Certificate): void
}

export interface Path {
  /** From the leaf to the anchor, both included. */
  readonly certificates: readonly [leaf: Certificate, issuer: Certificate, ...more: Certificate[]]
  /** Purposes that every certificate of the path leaves to the leaf; `undefined`: it is not restricted. */
  readonly purposes: readonly string[] | undefined
}

/**
 * Finds a certification path from the leaf to an anchor that passes RFC 5280 §6.
 *
 * Checks the leaf by {@link checkLeaf}, and for each certificate: names that chain byte for byte, key identifiers,
 * signature and algorithm, validity, basic constraints, key usage, path length, name constraints, extended key usage of
 * authorities, critical extensions. Tries every path that the limits allow, and takes the first that passes. Does NOT
 * look at revocation, nor at policies beyond refusing certificates that insist on them.
 *
 * @throws {@link DragomanError} what {@link checkLeaf} throws, and `ERR_TRUST_PATH`; `detail.check` says what the best
 * path lacked and `detail.depth` how many certificates of it had passed
 */
export function findPath(request: PathRequest): Path {
  const pool = [...request.presented, ...request.intermediates]
  if (!leadsToAnchor(request, pool)) throw refusal({ check: 'anchor', expected: 'a chain that leads to an anchor' }, 0)
  checkLeaf(request.leaf, request)
  const search: Search = { request, pool, budget: newBudget(), best: undefined }
  const found = extend([request.leaf], request.leaf.extensions.extendedKeyUsage, search)
  if (found) return found
  const { problem, depth } = search.best ?? { problem: NO_ISSUER, depth: 1 }
  throw refusal(problem, depth)
}

const NO_ISSUER: Problem = { check: 'anchor', expected: 'an issuer of each certificate, up to an anchor' }

const refusal = ({ check, expected }: Problem, depth: number) =>
  new DragomanError('ERR_TRUST_PATH', { detail: { check, expected, depth } })

/** Whether names alone lead from the leaf to an anchor: cheap, and most chains of another authority end here. */
function leadsToAnchor({ leaf, anchors }: PathRequest, pool: readonly Certificate[]): boolean {
  const open = [leaf]
  const seen = new Set<Certificate>()
  for (let certificate = open.pop(); certificate; certificate = open.pop()) {
    const { issuer } = certificate
    if (anchors.some(({ subject }) => subject.der.equals(issuer.der))) return true
    for (const candidate of pool) {
      if (seen.has(candidate) || !candidate.subject.der.equals(issuer.der)) continue
      seen.add(candidate)
      open.push(candidate)
    }
  }
  return false
}

interface Search {
  readonly request: PathRequest
  readonly pool: readonly Certificate[]
  readonly budget: Budget
  /** The problem of the longest path so far. */
  best: { readonly problem: Problem; readonly depth: number } | undefined
}

function extend(path: readonly Certificate[], left: readonly string[] | undefined, search: Search): Path | undefined {
  const { request, pool } = search
  const last = path.at(-1)
  if (!last) return undefined
  for (const anchor of request.anchors) {
    if (!anchor.subject.der.equals(last.issuer.der) || path.some(({ der }) => der.equals(anchor.der))) continue
    const purposes = request.anchorRules === 'enforced' ? narrowed(left, anchor) : left
    const problem = linkProblem(path, last, anchor, purposes, 'anchor', search)
    const [leaf, ...above] = [...path, anchor]
    const [issuer, ...more] = above
    if (!problem && leaf && issuer) return { certificates: [leaf, issuer, ...more], purposes }
    note(search, problem, path.length)
  }
  for (const candidate of pool) {
    if (!candidate.subject.der.equals(last.issuer.der)) continue
    if (path.some((certificate) => isSameEntity(certificate, candidate))) continue
    search.budget.spend('candidates')
    const purposes = narrowed(left, candidate)
    const problem =
      path.length + 2 > MAX_PATH
        ? { check: 'path_length', expected: `at most ${MAX_PATH} certificates` }
        : linkProblem(path, last, candidate, purposes, 'authority', search)
    note(search, problem, path.length)
    const found = problem ? undefined : extend([...path, candidate], purposes, search)
    if (found) return found
  }
  return undefined
}

function note(search: Search, problem: Problem | undefined, depth: number): void {
  if (problem && (!search.best || depth > search.best.depth)) search.best = { problem, depth }
}

// The same key under the same name is the same authority, whichever certificate says so: with it twice, a path is a loop.
const isSameEntity = (left: Certificate, right: Certificate): boolean =>
  left.subject.der.equals(right.subject.der) && left.spki.equals(right.spki)

/** Why `issuer` cannot stand above `subject` in this path; the signature is checked last. */
function linkProblem(
  path: readonly Certificate[],
  subject: Certificate,
  issuer: Certificate,
  purposes: readonly string[] | undefined,
  place: 'authority' | 'anchor',
  { request, budget }: Search,
): Problem | undefined {
  if (!identifies(subject, issuer)) return { check: 'key_identifier', expected: 'the issuer whose key is identified' }
  const constrained = place === 'authority' || request.anchorRules === 'enforced'
  return (
    (constrained ? constraintProblem(path, issuer, purposes, place, request, budget) : undefined) ??
    signatureProblem(subject, issuer, request, budget)
  )
}

function constraintProblem(
  path: readonly Certificate[],
  issuer: Certificate,
  left: readonly string[] | undefined,
  place: 'authority' | 'anchor',
  request: PathRequest,
  budget: Budget,
): Problem | undefined {
  const intermediates = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length
  const basic = issuerProblem(issuer, intermediates)
  if (basic) return basic
  if (!isTimely(issuer, request.now, request.clockSkew)) {
    return { check: 'validity', expected: `a time within the validity of each ${place}` }
  }
  const unknown = unknownCritical(issuer)
  if (unknown !== undefined) return { check: 'critical_extension', expected: `no critical ${unknown} in an ${place}` }
  const nonconforming = request.conforming ? nonconformity(issuer, place) : undefined
  if (nonconforming) return nonconforming
  if (!serves(left, request)) {
    return { check: 'extended_key_usage', expected: `each ${place} to allow the purposes of the leaf` }
  }
  const constraints = issuer.extensions.nameConstraints
  const outside =
    constraints &&
    path.find(
      (certificate, at) =>
        !(at > 0 && isSelfIssued(certificate)) && !isWithin(namesOf(certificate), constraints, budget),
    )
  return outside && { check: 'name_constraints', expected: `names within the constraints of each ${place}` }
}

function signatureProblem(
  subject: Certificate,
  issuer: Certificate,
  request: PathRequest,
  budget: Budget,
): Problem | undefined {
  const { algorithm } = subject
  if (!algorithm || !request.algorithms.includes(algorithm)) {
    return { check: 'algorithm', expected: 'a signature algorithm that is allowed for this issuer' }
  }
  if (request.links.has(subject, issuer)) return undefined
  budget.spend('signatures')
  const key = usableKey(issuer)
  if (!key || !fits(algorithm, key)) return UNFIT
  if (!verifyX509Signature(algorithm, cryptoKey(algorithm, key), subject.toBeSigned, subject.signature)) {
    return { check: 'signature', expected: 'a signature by the key of the issuer' }
  }
  if (subject !== request.leaf) request.links.add(subject, issuer)
  return undefined
}

const UNFIT: Problem = { check: 'algorithm', expected: 'a key of accepted kind and size that fits' }

function usableKey(certificate: Certificate) {
  try {
    return certificate.publicKey.key
  } catch (error) {
    if (error instanceof DragomanError) return undefined
    throw error
  }
}

/** RFC 5280 does not say so, and everybody does it: an authority's extended key usage limits what is below it. */
function narrowed(left: readonly string[] | undefined, { extensions }: Certificate): readonly string[] | undefined {
  const own = extensions.extendedKeyUsage
  if (!own || own.includes(purposes.any)) return left
  return left === undefined || left.includes(purposes.any) ? own : left.filter((purpose) => own.includes(purpose))
}

/** Whether the purposes left are enough. Those that the leaf lacks itself are not an authority's fault. */
const serves = (left: readonly string[] | undefined, { extendedKeyUsage }: PathRequest): boolean =>
  left === undefined || (left.length > 0 && extendedKeyUsage.every((purpose) => left.includes(purpose)))
