import type { Origin } from '../core/place.ts'
import type { ConfigurationPlaces } from '../explain/found.ts'
import type { TenantEntry } from './types.ts'

/** Where the entries of one tenant stand; `root`: its path in the file, empty for the only one. */
export function placesOf(
  origin: Origin,
  { issuers = [], clients = [] }: TenantEntry,
  root: string,
): ConfigurationPlaces {
  const list = (name: string) => origin.place(root === '' ? name : `${root}.${name}`)
  const entry = (name: string, index: number, option: string | undefined) => {
    if (index === -1) return list(name)
    return list(`${name}[${index}]${option === undefined ? '' : `.${option}`}`)
  }
  return {
    origin,
    list,
    issuer: (name, option) =>
      entry(
        'issuers',
        issuers.findIndex(({ issuer }) => issuer === name),
        option,
      ),
    client: (id, option) =>
      entry(
        'clients',
        clients.findIndex(({ client_id }) => client_id === id),
        option,
      ),
  }
}
