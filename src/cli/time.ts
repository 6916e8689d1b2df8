/** A time as date and as distance from now, both in seconds since the epoch. */
export function instant(seconds: number, now: number): string {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return 'not a time'
  const words = duration(seconds - now)
  return `${date.toISOString().replace('.000Z', 'Z')}, ${seconds >= now ? `in ${words}` : `${words} ago`}`
}

/** Seconds as a person says them: `3 days`, `5 minutes`. */
export function duration(seconds: number): string {
  const distance = Math.abs(seconds)
  if (distance < 120) return `${Math.round(distance)} seconds`
  if (distance < 7200) return `${Math.round(distance / 60)} minutes`
  return distance < 172_800 ? `${Math.round(distance / 3600)} hours` : `${Math.round(distance / 86_400)} days`
}
