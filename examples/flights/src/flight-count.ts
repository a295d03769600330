/**
 * How many flights there are: a module of its own, so that the web app, which only cuts the work into chunks, holds
 * nothing of the code that reads the data.
 * @module
 */

/** The rows of the data. */
export const FLIGHT_COUNT = 200_000
