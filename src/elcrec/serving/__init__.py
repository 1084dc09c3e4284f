"""The server: what it is asked and answers, what it keeps, how it runs. Calls :class:`elcrec.ELCRec`, nothing below."""
