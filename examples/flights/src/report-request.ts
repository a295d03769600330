/**
 * What a client may ask for: checked before anything is submitted.
 * @module
 */
import { HTTPException } from 'hono/http-exception'
import { FLIGHT_COUNT } from './flight-count.ts'
import type { Chunk } from './reports.ts'

/** The fields of a request, all whole numbers, all optional. */
export const REPORT_FIELDS = {
  minDistance: { min: 0, max: 5000, default: 0 },
  maxDistance: { min: 0, max: 5000, default: 5000 },
  chunks: { min: 1, max: 64, default: 16 },
  pauseMs: { min: 0, max: 500, default: 0 },
} as const

/** A checked request. */
export type ReportRequest = Readonly<Record<keyof typeof REPORT_FIELDS, number>>

/**
 * Reads the body of a `POST /reports`.
 * @throws HTTPException 400 that names the field, what it was, and what it may be
 */
export function parseReportRequest(text: string): ReportRequest {
  const body = parseObject(text)
  const names = Object.keys(REPORT_FIELDS)
  const unknown = Object.keys(body).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw refusal(`unknown field ${JSON.stringify(unknown)}; the fields are ${names.join(', ')}`)
  }
  const request: ReportRequest = {
    minDistance: fieldOf(body, 'minDistance'),
    maxDistance: fieldOf(body, 'maxDistance'),
    chunks: fieldOf(body, 'chunks'),
    pauseMs: fieldOf(body, 'pauseMs'),
  }
  if (request.minDistance > request.maxDistance) {
    throw refusal(`minDistance (${request.minDistance}) is over maxDistance (${request.maxDistance})`)
  }
  return request
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw refusal('the body is not JSON; send an object, as {"minDistance": 500}')
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body }
  throw refusal('the body is not an object; send one, as {"minDistance": 500}')
}

function fieldOf(body: Readonly<Record<string, unknown>>, name: keyof typeof REPORT_FIELDS): number {
  const rule = REPORT_FIELDS[name]
  const value = Object.hasOwn(body, name) ? body[name] : rule.default
  if (typeof value === 'number' && Number.isInteger(value) && value >= rule.min && value <= rule.max) {
    return value
  }
  const shown = JSON.stringify(value).slice(0, 40)
  throw refusal(`${name} is ${shown}, expected a whole number from ${rule.min} to ${rule.max}`)
}

function refusal(message: string): HTTPException {
  return new HTTPException(400, { message })
}

/** Cuts all flights into as many ranges as were asked for, as even as whole numbers allow. */
export function chunksOf({ chunks, pauseMs, minDistance, maxDistance }: ReportRequest): Chunk[] {
  return Array.from({ length: chunks }, (_, index) => ({
    from: Math.floor((FLIGHT_COUNT * index) / chunks),
    to: Math.floor((FLIGHT_COUNT * (index + 1)) / chunks),
    filter: { minDistance, maxDistance },
    pauseMs,
  }))
}
