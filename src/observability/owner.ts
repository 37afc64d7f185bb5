import type { MetricDeclaration } from './declaration.ts'
import { type Family, type Labels, labelText, labelTextOf, newSample, observe, type Sample, sampleOf } from './family.ts'

/**
 * An object with its series, which go with it. One that several objects share is found in its family, and goes with the last of them.
 *
 * A class, because there is one for each of 10,000 objects, and functions on a prototype cost them nothing.
 */
export class Owner {
  readonly kind: string
  /** `namespace/name`. */
  readonly key: string
  readonly #families: ReadonlyMap<string, Family>
  readonly #onForgotten: (owner: Owner) => void
  /** Its series. As long as what it holds: a list that grows by itself has room for twice as many. */
  #claims: readonly Sample[] = []

  constructor(kind: string, key: string, families: ReadonlyMap<string, Family>, onForgotten: (owner: Owner) => void) {
    this.kind = kind
    this.key = key
    this.#families = families
    this.#onForgotten = onForgotten
  }

  set(name: string, extra: Labels, value: number | undefined): void {
    this.#put(this.#family(name, 'Gauge'), extra, value)
  }

  since(name: string, extra: Labels, unixMs: number | undefined): void {
    this.#put(this.#family(name, 'Age'), extra, unixMs)
  }

  add(name: string, extra: Labels, by = 1): void {
    this.#claim(this.#family(name, 'Counter'), extra).value += by
  }

  observe(name: string, extra: Labels, value: number): void {
    const family = this.#family(name, 'Histogram')
    observe(family, this.#claim(family, extra), value)
  }

  open(name: string, extra: Labels): void {
    this.#claim(this.#family(name, 'Histogram'), extra)
  }

  retain(name: string, isKept: (labels: Labels) => boolean): void {
    const family = this.#family(name)
    this.#release((claim) => claim.family === family && !isKept(claim.extra))
  }

  forget(): void {
    this.#release(() => true)
    this.#onForgotten(this)
  }

  /** Calls back with its own series of a metric that objects do not share, each with the text of its labels. */
  forEachOf(family: Family, visit: (id: string, sample: Sample) => void): void {
    for (const claim of this.#claims) if (claim.family === family) visit(labelTextOf(family, this.key, claim.extra), claim)
  }

  #family(name: string, type?: MetricDeclaration['type']): Family {
    return familyOf(this.#families, name, type)
  }

  #put(family: Family, extra: Labels, value: number | undefined): void {
    if (value === undefined || (value === 0 && family.metric.omitsZero === true)) this.#drop(family, extra)
    else this.#claim(family, extra).value = value
  }

  #idOf(family: Family, extra: Labels): string {
    const names = this.key.split('/')
    const labels: Record<string, string> = {}
    for (const [index, label] of (family.group.object ?? []).entries()) labels[label] = names[index] ?? ''
    return labelText(family, Object.assign(labels, extra))
  }

  /** Makes the series one of this object's. */
  #claim(family: Family, extra: Labels): Sample {
    return family.isShared ? this.#join(family, extra) : (this.#own(family, extra) ?? this.#begin(family, extra))
  }

  /** Of these an object has at most ten. */
  #own(family: Family, extra: Labels): Sample | undefined {
    return this.#claims.find((claim) => claim.family === family && isSame(claim.extra, extra))
  }

  #begin(family: Family, extra: Labels): Sample {
    // Throws if the labels are not those of the metric.
    this.#idOf(family, extra)
    const sample = newSample(family, '', extra)
    this.#claims = [...this.#claims, sample]
    return sample
  }

  #join(family: Family, extra: Labels): Sample {
    const id = this.#idOf(family, extra)
    const sample = sampleOf(family, id, extra)
    const { owner } = sample
    if (owner === this || (owner instanceof Set && owner.has(this))) return sample
    if (owner === undefined) sample.owner = this
    else if (owner instanceof Set) owner.add(this)
    else sample.owner = new Set([owner, this])
    this.#claims = [...this.#claims, sample]
    return sample
  }

  #drop(family: Family, extra: Labels): void {
    this.#release((claim) => claim.family === family && isSame(claim.extra, extra))
  }

  #release(isOver: (claim: Sample) => boolean): void {
    if (!this.#claims.some(isOver)) return
    const [over, kept] = [this.#claims.filter(isOver), this.#claims.filter((claim) => !isOver(claim))]
    this.#claims = kept
    for (const { family, id, owner } of over) {
      if (!family.isShared) continue
      if (owner instanceof Set && owner.delete(this) && owner.size > 0) continue
      family.samples.delete(id)
    }
  }
}

function isSame(a: Labels, b: Labels): boolean {
  if (a === b) return true
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** The metric of that name, and of that type if one is given. */
export function familyOf(families: ReadonlyMap<string, Family>, name: string, type?: MetricDeclaration['type']): Family {
  const family = families.get(name)
  if (family === undefined) throw new TypeError(`the metric ${name} is not declared`)
  if (type !== undefined && family.metric.type !== type) throw new TypeError(`the metric ${name} is a ${family.metric.type}, not a ${type}`)
  return family
}
