"""What a phone has downloaded beside a form: its files, and entity lists with one synthetic entity of each kind."""

from __future__ import annotations

from importlib.resources import files

VILLAGE = {"township": "632223202000", "division": "632223202204"}
PLACE = "36.9 100.9 3200 8"
WUBAO, ORPHAN, HOUSEHOLD, SNOW, TENTS = (f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "12345")
SYSTEM = "__version,__trunkVersion,__branchId"
ENTITIES = {
    "persons.csv": "name,label,division,full_name,category,status,self_care,last_visit,guardian,birth_date,risk," + SYSTEM + "\n"
    f"{WUBAO},张三,632223202204,张三,wubao,active,able,,,1950-01-01,low,3,,\n"
    f"{ORPHAN},李四,632223202204,李四,orphan,active,,,李五,2015-05-05,low,1,,\n",
    "households.csv": "name,label,division,head_name,address,phone,status," + SYSTEM + "\n"
    f"{HOUSEHOLD},王一 塔列村 1 号,632223202204,王一,塔列村 1 号,13900000000,active,5,,\n",
    "disaster_events.csv": "name,label,hazard,event_name,status," + SYSTEM + f"\n{SNOW},11·24 雪灾,snow,11·24 雪灾,open,2,,\n",
    "disaster_villages.csv": "name,label,event,division,status,last_affected,last_dead,last_missing,last_injured,last_livestock_dead,last_loss," + SYSTEM + "\n",
    "relief_batches.csv": "name,label,event,item,unit,quantity,left,division,rule," + SYSTEM + "\n"
    f"{TENTS},帐篷 10,{SNOW},tent,piece,10,4,632223202204,loss,1,,\n",
}


def village_of(event: str, division: str = VILLAGE["division"]) -> str:
    """The id of a village's entity in `disaster_villages`: the event's, with the division's twelve digits for its last ones."""
    return event[:24] + division


def phone_media(form_id: str) -> dict[str, bytes]:
    """File name -> bytes for a form of `xlsforms`, its own media and every entity list."""
    media = {"divisions.csv": (files("xlsforms") / form_id / "media" / "divisions.csv").read_bytes()}
    return media | {name: text.encode() for name, text in ENTITIES.items()}
