/** An example text, written for this page; its people and places do not exist. */

export const EXAMPLE_TEXT = `The last printed timetable of the Varnholm valley railway went on sale on Friday, and by noon every copy was gone. From January the line will run on request: passengers tell an app or a telephone desk where they want to travel, and trains stop only where somebody is waiting.

The railway says that two thirds of its stops on an average weekday are made for nobody. Each of them costs about ninety seconds and as much energy as a household uses in a day. Without them the journey from Varnholm to the coast shrinks from 94 minutes to 71, and the company expects to save 1.8 million crowns a year. “We have been running a bus service for ghosts,” said its director, Lene Aasberg.

The plan was tested for five months on the northern branch. Punctuality rose from 81 to 93 per cent, and the number of passengers grew by a tenth. Complaints grew too: 240 people wrote that a train had passed them although they had asked for it. The company blames a fault in the old radio at three stations, which has since been replaced.

Not everyone is convinced. The pensioners’ association points out that one in five of its members owns no mobile telephone, and that the telephone desk closes at six. It wants a plain button on each platform. Button and light together would cost 4,000 crowns a station, less than the company spent on advertising its app.

The valley’s mayors have made the button their condition. Without it they will not extend the contract, which ends in March and pays for half of all journeys. Aasberg answered that she would “look at the button again”, which in Varnholm is understood to mean yes.

Meanwhile the printer of the timetable has a better year than he expected. Collectors offer 200 crowns for a copy, twenty times its price. He is thinking of a second edition, he said, as long as nobody expects the trains in it to come.
`;
