import type { Certificate } from '../../wire/certificate.ts'
import type { NameConstraints } from '../../wire/extensions.ts'
import { type GeneralName, mailboxHost, uriHost } from '../../wire/general-name.ts'
import { EMAIL_ADDRESS, startsWithName, valuesOf } from '../../wire/name.ts'
import type { Budget } from './budget.ts'

/**
 * Whether every one of `names` lies within `constraints` (RFC 5280 §4.2.1.10, §6.1.4 g).
 *
 * A name of a kind that is constrained and that we cannot compare (otherName, x400Address, …) is not within. Does NOT
 * skip self-issued certificates: the caller does, since it depends on where in the path they stand.
 *
 * @throws {@link DragomanError} `ERR_TRUST_PATH` when there is too much to compare
 */
export function isWithin(names: readonly GeneralName[], constraints: NameConstraints, budget: Budget): boolean {
  const { permitted, excluded } = constraints
  budget.spend('comparisons', names.length * (permitted.length + excluded.length))
  return names.every((name) => {
    if (excluded.some((base) => base.kind === name.kind && mayLieIn(name, base))) return false
    const bases = permitted.filter((base) => base.kind === name.kind)
    return bases.length === 0 || bases.some((base) => liesIn(name, base))
  })
}

/** Every name of a certificate: its subject, the e-mail addresses in that, and each alternative name. */
export function namesOf({ subject, extensions }: Certificate): readonly GeneralName[] {
  const emails = valuesOf(subject, EMAIL_ADDRESS).map((text) => ({ kind: 'email', text }) as const)
  const directory = subject.parts.length > 0 ? [{ kind: 'directory', name: subject } as const] : []
  return [...directory, ...emails, ...extensions.subjectAltNames]
}

/** For permitted subtrees: certainly inside. */
function liesIn(name: GeneralName, base: GeneralName): boolean {
  if (name.kind === 'dns' && base.kind === 'dns') return isBelow(name.text, base.text)
  if (name.kind === 'email' && base.kind === 'email') return isMailboxIn(name.text, base.text)
  if (name.kind === 'uri' && base.kind === 'uri') {
    const host = uriHost(name.text)
    return host !== undefined && isHostIn(host, base.text)
  }
  if (name.kind === 'ip' && base.kind === 'ip') return isAddressIn(name.octets, base.octets)
  return name.kind === 'directory' && base.kind === 'directory' && startsWithName(name.name.parts, base.name.parts)
}

/** For excluded subtrees: inside, or it cannot be ruled out. */
function mayLieIn(name: GeneralName, base: GeneralName): boolean {
  switch (name.kind) {
    case 'dns':
      // A wildcard stands for every name below it, also for one that is excluded.
      return (
        liesIn(name, base) ||
        (name.text.startsWith('*.') && base.kind === 'dns' && isBelow(base.text, name.text.slice(2)))
      )
    case 'uri':
      return uriHost(name.text) === undefined || liesIn(name, base)
    case 'email':
      return mailboxHost(name.text) === undefined || liesIn(name, base)
    case 'ip':
    case 'directory':
      return liesIn(name, base)
    default:
      return true
  }
}

/** Labels are added in front; the empty base is the root of all. */
function isBelow(host: string, base: string): boolean {
  const [name, suffix] = [host.toLowerCase(), base.toLowerCase()]
  return suffix === '' || name === suffix || name.endsWith(`.${suffix}`)
}

/** For URIs and mailboxes a bare host means that host, one after a dot every host below it. */
function isHostIn(host: string, base: string): boolean {
  const [name, suffix] = [host.toLowerCase(), base.toLowerCase()]
  return suffix.startsWith('.') ? name.endsWith(suffix) : name === suffix
}

function isMailboxIn(mailbox: string, base: string): boolean {
  const host = mailboxHost(mailbox)
  if (host === undefined) return false
  const exact = mailboxHost(base)
  if (exact === undefined) return isHostIn(host, base)
  // The local part is case-sensitive, the host is not.
  const local = (text: string, of: string) => text.slice(0, text.length - of.length)
  return local(mailbox, host) === local(base, exact) && isHostIn(host, exact)
}

function isAddressIn(address: Buffer, range: Buffer): boolean {
  const { length } = address
  if (range.length !== length * 2) return false
  return address.every(
    (octet, at) => (octet & (range[length + at] ?? 0)) === ((range[at] ?? 0) & (range[length + at] ?? 0)),
  )
}
